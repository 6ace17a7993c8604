/*
currencies: NetSuite currencies.

grain   one row per currency internal id
key     id
reads   currency
notes   `symbol` is the ISO 4217 code.
*/
select
    -- ids
    t.id,  -- internal id
    t.externalid,  -- external id, set by another system
    -- descriptions
    t.name,
    t.symbol,  -- ISO 4217 code
    t.displaysymbol,  -- currency sign
    -- numbers
    t.currencyprecision,  -- decimal places
    -- booleans
    t.isbasecurrency,  -- T for the base currency
    t.isinactive,  -- T if inactive
    -- timestamps (UTC)
    to_char(sys_extract_utc(t.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- last changed, UTC
from currency t
where t.id > ?
order by t.id asc
