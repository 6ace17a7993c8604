/*
suspected_duplicates: Customers that look like the same company twice.

grain   one row per pair of NetSuite customers and kind of likeness
key     customer_id, other_id, same
reads   stg_netsuite__customers
notes   Alike means: the same name without case, punctuation and legal form, or the same web host. A likeness that more
        than five records share says nothing and is left out. Nothing is ever merged because of it.
*/
create or replace view suspected_duplicates as
with

live as (
    select customer_id, entity_number, parent_customer_id,
        regexp_replace(
            regexp_replace(lower(strip_accents(coalesce(company_name, alt_name))), '[^a-z0-9 ]', '', 'g'),
            '\s+(ab|ag|as|asa|bv|co|company|corp|corporation|gmbh|inc|incorporated|kg|limited|llc|llp|ltd|nv|oy|plc|sa|sarl|se|spa|srl)$',
            ''
        ) as plain_name,
        regexp_extract(lower(url), '^(?:https?://)?(?:www\.)?([^/:?#]+)', 1) as host
    from stg_netsuite__customers
    where not is_deleted
),

likenesses as (
    select customer_id, entity_number, parent_customer_id, 'name' as same, trim(plain_name) as likeness from live
    union all
    select customer_id, entity_number, parent_customer_id, 'web host', host from live
),

groups as (
    select * from likenesses
    where likeness <> ''
    qualify count(*) over (partition by same, likeness) between 2 and 5
)

select
    one.customer_id,  -- NetSuite internal id of the older one
    other.customer_id as other_id,  -- NetSuite internal id of the newer one
    one.entity_number,  -- number of the older one
    other.entity_number as other_number,  -- number of the newer one
    one.same,  -- what they share: name or web host
    one.likeness  -- the name or host, as compared
from groups as one
join groups as other
    on one.same = other.same and one.likeness = other.likeness and one.customer_id::bigint < other.customer_id::bigint
-- a sub-customer has its parent's name more often than not
where one.customer_id is distinct from other.parent_customer_id
    and other.customer_id is distinct from one.parent_customer_id
