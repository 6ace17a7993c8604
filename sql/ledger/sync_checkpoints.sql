/*
sync_checkpoints: Signed states of the hash chain.

grain   one row per checkpoint
key     number
reads   nothing
notes   Written with the entries that it covers, in one transaction, at the end of a run. The statement has everything;
        it names the checkpoint before by its hash.
*/
create table if not exists sync_checkpoints (
    number bigint,  -- checkpoint, from 1
    day date,  -- day of its entries, a label: order is the number's
    statement varchar,  -- JSON: format, number, day, sealed_at, first, last, head (last link), through (position), previous, public_key
    signature varchar,  -- Ed25519 signature of the statement; blank: there was no key
    handover varchar  -- signature of the statement by the key before, if another one signs from here on; else blank
)
