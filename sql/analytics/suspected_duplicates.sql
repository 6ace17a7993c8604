/*
suspected_duplicates: Pairs of customers that look like the same company.

grain   one row per pair of NetSuite customers and kind of match
key     customer_id, other_id, matched_on
reads   stg_netsuite__customers
notes   A match is the same name, ignoring case, punctuation and legal form, or the same web host. Values that more than
        five records share are left out. Millpond never merges records.
*/
create or replace view suspected_duplicates as
with

live as (
    select customer_id, entity_number, parent_customer_id,
        regexp_replace(
            regexp_replace(lower(strip_accents(
                case when is_person then coalesce(alt_name, company_name) else coalesce(company_name, alt_name) end
            )), '[^a-z0-9 ]', '', 'g'),
            '\s+(ab|ag|as|asa|bv|co|company|corp|corporation|gmbh|inc|incorporated|kg|limited|llc|llp|ltd|nv|oy|plc|sa|sarl|se|spa|srl)$',
            ''
        ) as plain_name,
        regexp_extract(lower(url), '^(?:https?://)?(?:www\.)?([^/:?#]+)', 1) as host
    from stg_netsuite__customers
    where not is_deleted
),

values_to_match as (
    select customer_id, entity_number, parent_customer_id, 'name' as matched_on, trim(plain_name) as matched_value from live
    union all
    select customer_id, entity_number, parent_customer_id, 'web host', host from live
),

groups as (
    select * from values_to_match
    where matched_value <> ''
    qualify count(*) over (partition by matched_on, matched_value) between 2 and 5
)

select
    one.customer_id,  -- NetSuite internal id of the older one
    other.customer_id as other_id,  -- NetSuite internal id of the newer one
    one.entity_number,  -- number of the older one
    other.entity_number as other_number,  -- number of the newer one
    one.matched_on,  -- name or web host
    one.matched_value  -- the name or host, as compared
from groups as one
join groups as other
    on one.matched_on = other.matched_on and one.matched_value = other.matched_value and one.customer_id::bigint < other.customer_id::bigint
-- most sub-customers have their parent's name
where one.customer_id is distinct from other.parent_customer_id
    and other.customer_id is distinct from one.parent_customer_id
