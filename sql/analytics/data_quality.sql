/*
data_quality: Completeness and plausibility of NetSuite's customers, by column.

grain   one row per rule
key     rule
reads   stg_netsuite__customers
notes   Deleted and inactive records are not counted. `score` is the share of records that pass the rule.
*/
create or replace view data_quality as
with

live as (select *, stage = 'customer' as is_customer from stg_netsuite__customers where not is_deleted and not is_inactive),

rules as (
    unpivot (
        select
            avg((coalesce(company_name, alt_name, last_name) is not null)::int) as has_a_name,
            avg((email is not null)::int) as has_an_email,
            avg(regexp_full_match(email, '[^@\s]+@[^@\s]+\.[^@\s]+')::int) as email_is_plausible,
            avg((phone is not null)::int) as has_a_phone,
            avg((url is not null)::int) as has_a_website,
            avg((address_line1 is not null)::int) as has_a_street,
            avg((city is not null)::int) as has_a_city,
            avg((zip is not null)::int) as has_a_postal_code,
            avg((country_code is not null)::int) as has_a_country,
            avg(regexp_full_match(country_code, '[A-Z]{2}')::int) as country_is_a_code,
            avg((currency_code is not null)::int) as has_a_currency,
            avg((subsidiary_id is not null)::int) as has_a_subsidiary,
            avg((sales_rep_id is not null)::int) as has_a_sales_rep
        from live
    ) on columns(*) into name rule value score
)

select
    replace(rule, '_', ' ') as rule,  -- the rule
    round(score, 4) as score,  -- share of the records that pass, from 0 to 1
    (select count(*) from live) as records  -- number of active customers, leads and prospects
from rules
order by score, rule
