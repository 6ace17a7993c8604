/*
deliveries: Every write to a target, field by field: the value before, the value after, and the target's answer.

grain   one row per attempt and field
key     attempt_id, field
reads   sync_attempts
notes   A create has no value before. An attempt whose values cannot be shown has one row without a field, and `shown`
        says why: they are encrypted (MILLPOND_ENCRYPTION_KEY), or not part of this file. The values are those that were
        sent; where the target has others now, the views `differences` and `edited_by_hand` show it.
*/
create or replace view deliveries as
with

intents as (
    select
        attempt_id, run_id, workflow, source, source_id, action, target_id, seen_at, position,
        case when json_valid(image) then from_json(image, '[{"field": "VARCHAR", "before": "VARCHAR", "after": "VARCHAR"}]') end
            as changes,
        case
            when image is null then 'not in this file'
            when starts_with(image, 'sealed:') then 'encrypted'
            else 'yes'
        end as shown
    from sync_attempts
    where state = 'intent'
),

-- what became of it: the last row of the attempt; one that was found later counts more than a lost response
answers as (
    select
        attempt_id,
        arg_max({'state': state, 'code': code, 'reason': reason, 'target_id': target_id, 'seen_at': seen_at},
            coalesce(position, 0)) as last
    from sync_attempts
    where state not in ('intent', 'finished')
    group by attempt_id
),

fields as (
    select * exclude (changes), unnest(case when len(changes) > 0 then changes else [null] end) as change
    from intents
)

select
    fields.attempt_id,  -- one send of one record
    fields.run_id,  -- run that sent it
    fields.workflow,  -- the workflow
    fields.source,  -- kind of NetSuite record
    fields.source_id,  -- NetSuite internal id
    fields.action,  -- create, adopt, update, deactivate or reactivate
    coalesce(answers.last.target_id, fields.target_id) as target_id,  -- internal id of the target's record
    fields.change.field as field,  -- field of the target record; null: see `shown`
    fields.change.before as before,  -- value that the target had when the plan was made
    fields.change.after as after,  -- value that was sent
    fields.shown,  -- yes, encrypted, or not in this file: whether field and values can be shown
    coalesce(answers.last.state, 'no answer') as answer,  -- confirmed, rejected, unknown, not_sent, found, absent, unverifiable, ambiguous, or no answer
    nullif(answers.last.code, '') as code,  -- the target's own code
    nullif(answers.last.reason, '') as reason,  -- the target's own message
    fields.seen_at as sent_at,  -- when the intent was stored, UTC
    answers.last.seen_at as answered_at,  -- when the answer was, UTC; null: none is known
    fields.position  -- place in the ledger's sequence: a later attempt has a higher number
from fields
left join answers using (attempt_id)
