/*
contact_addresses: Addresses of contacts.

grain   one row per entry of a contact's address book
key     internalid
reads   contactaddressbook, contactaddressbookentityaddress
notes   Same form as `addresses`. That SuiteQL has these two tables is inferred from those of customers; in an account
        without them the raw table stays empty.
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
    a.country,  -- two-letter ISO 3166 code
    -- booleans
    b.defaultbilling,  -- T for the default billing address
    b.defaultshipping,  -- T for the default shipping address
    b.isresidential,  -- T for a residential address
    -- timestamps (UTC)
    to_char(sys_extract_utc(a.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- address last changed, UTC
from contactaddressbook b, contactaddressbookentityaddress a
where b.addressbookaddress = a.nkey
    and b.internalid > ?
order by b.internalid asc
