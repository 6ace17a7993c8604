/*
customer_funnel: The times at which each record became a lead, a prospect and a customer, and the days between.

grain   one row per NetSuite customer, lead and prospect
key     customer_id
reads   hist_netsuite__customers
notes   A stage begins when NetSuite saved the change. Changes before the first extraction, or several between two
        extractions, are not visible. The first stage of a record begins with its creation.
*/
create or replace view customer_funnel as
with

versions as (
    select
        customer_id, stage, valid_from, is_current, created_at, modified_at,
        lag(stage) over record as before,
        lag(valid_from) over record is null as is_first
    from hist_netsuite__customers
    window record as (partition by customer_id order by valid_from)
),

begun as (
    select
        customer_id, stage,
        -- a save between two extractions is the change itself; otherwise only the time of the extraction is known
        case
            when is_first then coalesce(created_at, valid_from)
            else least(coalesce(modified_at, valid_from), valid_from)
        end as begun_at
    from versions
    where is_first or stage is distinct from before
),

stages as (
    select
        customer_id,
        min(begun_at) filter (stage = 'lead') as lead_at,
        min(begun_at) filter (stage = 'prospect') as prospect_at,
        min(begun_at) filter (stage = 'customer') as customer_at
    from begun
    group by customer_id
)

select
    customer_id,  -- NetSuite internal id
    current.stage,  -- current stage
    lead_at,  -- time at which it became a lead, UTC
    prospect_at,  -- time at which it became a prospect, UTC
    customer_at,  -- time at which it became a customer, UTC
    date_diff('day', lead_at, prospect_at) as days_lead_to_prospect,  -- days from lead to prospect
    date_diff('day', prospect_at, customer_at) as days_prospect_to_customer,  -- days from prospect to customer
    date_diff('day', least(lead_at, prospect_at), customer_at) as days_to_customer  -- days from the first stage to customer
from stages
join (select customer_id, stage from versions where is_current) as current using (customer_id)
