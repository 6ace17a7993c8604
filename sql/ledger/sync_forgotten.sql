/*
sync_forgotten: Records whose personal values a person had erased.

grain   one row per source record and erasing
key     source, source_id, forgotten_at
reads   nothing
notes   `millpond forget` writes a row. As long as returned_at is null, what NetSuite or a target shows of the record is
        stored without its personal values, and nothing is sent for it. NetSuite's values are stored again when its date
        of change is later than `modified`, or after `millpond forget --lift`; then the alert says so.
*/
create table if not exists sync_forgotten (
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    forgotten_at timestamp,  -- when, UTC
    position bigint,  -- place in the ledger's sequence: a later row has a higher number, whatever the clocks showed
    decided_by varchar,  -- name of the person who had it forgotten
    modified varchar,  -- NetSuite's date of change of the record at that time, as NetSuite sends it; null: not known
    kept varchar,  -- columns that keep their values, by table, as JSON
    lifted_at timestamp,  -- when a person allowed that the values are stored again, UTC; null: not
    returned_at timestamp,  -- `_extracted_at` of the reading that stored the values again, UTC; null: it is forgotten
    seen_at timestamp  -- when that was, UTC, by the machine's clock
)
