/*
sync_chain: The hash chain over attempts, decisions and events: which rows there were, in which order.

grain   one row per entry
key     number
reads   nothing
notes   Each link is the SHA-256 of the link before it and of the entry, so no entry can be changed, removed, inserted or
        moved without a trace. Personal values are in a leaf only as a salted hash: without salt and value, no one can
        look it up. The marks pruned, erased and collapsed are entries as well; they name the entry, or the
        checkpoint, that they apply to. See docs/ledger-audit.md.
*/
create table if not exists sync_chain (
    number bigint,  -- place in the chain, from 1
    kind varchar,  -- attempt, decision, ended (the end of a decision) or event; pruned, erased or collapsed
    workflow varchar,  -- workflow name of the row
    place bigint,  -- position of the row
    record varchar,  -- rest of the row's key; of a mark: the entry, or the checkpoint
    leaf varchar,  -- SHA-256 of the row as it was then
    link varchar,  -- SHA-256 of the link before, the number, the kind and the leaf
    salt varchar,  -- random text that is hashed with the personal values of the row; blank: it has none
    hashes varchar[]  -- of the mark erased: hash of the erased values, hash of those that are left
)
