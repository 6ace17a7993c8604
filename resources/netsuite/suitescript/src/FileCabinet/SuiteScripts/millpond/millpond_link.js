/**
 * Shows a link to the SuiteProjects Pro record on a NetSuite form.
 *
 * links.csv (written by `millpond links --csv`)  ->  cache  ->  one inline HTML field; no record is written.
 *
 * @NApiVersion 2.1
 * @NScriptType UserEventScript
 * @NModuleScope SameAccount
 */
define(['N/cache', 'N/file', 'N/log', 'N/runtime', 'N/ui/serverWidget'], (cache, file, log, runtime, serverWidget) => {
  const PARAMETER = 'custscript_millpond_links';
  const SYSTEM = 'suiteprojects.';
  const FIELD = 'custpage_millpond_suiteprojects';
  const LABEL = 'SuiteProjects Pro';
  const CACHE_S = 3600;
  const BUCKET = 500; // ids of one cache entry, all found in one pass over the file
  const SOURCES = { customer: 'customers', lead: 'customers', prospect: 'customers', job: 'projects', contact: 'contacts' };

  /** Splits a line of CSV; a quoted cell may contain commas and doubled quotes. */
  const cells = (line) =>
    [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
      quoted === undefined ? plain : quoted.replace(/""/g, '"'),
    );

  /** Reads the links of one bucket, by internal id. */
  const read = (path, source, bucket) => {
    const found = {};
    let names = null;
    file
      .load({ id: path })
      .lines.iterator()
      .each((line) => {
        const row = cells(line.value.replace(/^\uFEFF/, '').replace(/\r$/, ''));
        if (names === null) {
          names = row;
          return true;
        }
        const link = Object.fromEntries(names.map((name, place) => [name, row[place]]));
        const ours = link.source === source && (link.target || '').startsWith(SYSTEM);
        if (ours && Math.floor(Number(link.source_id) / BUCKET) === bucket && /^https?:\/\//.test(link.target_url || '')) {
          found[link.source_id] = { url: link.target_url, id: link.target_id };
        }
        return true;
      });
    return found;
  };

  const linkOf = (source, id) => {
    const path = runtime.getCurrentScript().getParameter({ name: PARAMETER });
    const bucket = Math.floor(Number(id) / BUCKET);
    const kept = cache.getCache({ name: 'millpond_links', scope: cache.Scope.PRIVATE }).get({
      key: `${source}:${bucket}`,
      ttl: CACHE_S,
      loader: () => JSON.stringify(read(path, source, bucket)),
    });
    return JSON.parse(kept)[id];
  };

  const escaped = (text) =>
    String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

  const beforeLoad = (context) => {
    const source = SOURCES[context.newRecord.type];
    const isForm = [context.UserEventType.VIEW, context.UserEventType.EDIT].includes(context.type);
    const inBrowser = runtime.executionContext === runtime.ContextType.USER_INTERFACE;
    if (!source || !isForm || !inBrowser || !context.newRecord.id) {
      return;
    }
    try {
      const link = linkOf(source, String(context.newRecord.id));
      if (!link) {
        return;
      }
      const field = context.form.addField({ id: FIELD, type: serverWidget.FieldType.INLINEHTML, label: LABEL });
      field.defaultValue =
        `<span class="smallgraytextnolink">${LABEL}</span><br/>` +
        `<a href="${escaped(link.url)}" target="_blank" rel="noopener noreferrer">${escaped(link.id)}</a>`;
    } catch (error) {
      // a missing file must not block the form
      log.error({ title: 'millpond_link', details: error.message });
    }
  };

  return { beforeLoad };
});
