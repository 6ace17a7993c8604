/*
contact_addresses: Addresses of contacts.

grain   one row per entry of a contact's address book
key     internalid
reads   contactaddressbook, contactaddressbookentityaddress
notes   As the addresses of customers, see there. That SuiteQL has these two tables is inferred from those of customers: an
        account without them has no addresses of contacts here, and nothing else is amiss.
*/
select
    -- ids
    b.internalid,  -- internal id of the entry
    b.entity,  -- internal id of the contact
    b.addressbookaddress,  -- key of the address
    -- descriptions
    b.label,
    a.addressee,
    a.attention,
    a.addr1,  -- first line
    a.addr2,  -- second line
    a.addr3,  -- third line
    a.addrphone,  -- phone
    a.city,
    a.state,
    a.zip,
    a.country,  -- ISO 3166 code of two letters
    -- booleans
    b.defaultbilling,  -- T for the default billing address
    b.defaultshipping,  -- T for the default shipping address
    b.isresidential,  -- T for a private address
    -- timestamps (UTC)
    to_char(sys_extract_utc(a.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- address last changed, UTC
from contactaddressbook b, contactaddressbookentityaddress a
where b.addressbookaddress = a.nkey
    and b.internalid > ?
order by b.internalid asc
