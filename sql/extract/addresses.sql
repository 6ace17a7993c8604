/*
addresses: Addresses of customers.

grain   one row per entry of a customer's address book
key     internalid
reads   customeraddressbook, customeraddressbookentityaddress
notes   The entry holds owner and defaults, the address itself the timestamp. Oracle join syntax, as NetSuite
        recommends; it must not be mixed with ANSI joins.
*/
select
    -- ids
    b.internalid,  -- internal id of the entry
    b.entity,  -- internal id of the customer
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
from customeraddressbook b, customeraddressbookentityaddress a
where b.addressbookaddress = a.nkey
    and b.internalid > ?
order by b.internalid asc
