/*
customer_funnel: When each record was a lead, a prospect and a customer, and how long each stage took.

grain   one row per NetSuite customer, lead and prospect
key     customer_id
reads   hist_netsuite__customers
notes   A stage begins when NetSuite saved the change, as far as readings tell: what happened before the first reading,
        or between two readings, is not known. The first stage of a record is dated by its creation.
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
        -- a save between the two readings is the change itself; otherwise the reading is all that is known
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
    current.stage,  -- the stage that it is in now
    lead_at,  -- when it became a lead, UTC
    prospect_at,  -- when it became a prospect, UTC
    customer_at,  -- when it became a customer, UTC
    date_diff('day', lead_at, prospect_at) as days_lead_to_prospect,  -- days from lead to prospect
    date_diff('day', prospect_at, customer_at) as days_prospect_to_customer,  -- days from prospect to customer
    date_diff('day', least(lead_at, prospect_at), customer_at) as days_to_customer  -- days from its first stage to customer
from stages
join (select customer_id, stage from versions where is_current) as current using (customer_id)
