/**
 * Tells Millpond that a record was saved, created or deleted: which one, and nothing of what is in it.
 *
 * after submit  ->  {account, type, id, event, context}, signed with time stamp and nonce  ->  https.post
 *
 * No record is written, and whatever happens here the save stands: errors are logged, nothing is thrown. A hint that
 * does not arrive costs minutes, not the record: Millpond asks NetSuite what changed as well.
 *
 * @NApiVersion 2.1
 * @NScriptType UserEventScript
 * @NModuleScope SameAccount
 */
define(['N/crypto', 'N/crypto/random', 'N/encode', 'N/https', 'N/log', 'N/runtime'], (
  crypto,
  random,
  encode,
  https,
  log,
  runtime,
) => {
  const URL = 'custscript_millpond_hint_url';
  const SECRET = 'custscript_millpond_hint_secret'; // the script id of an API secret, never the secret itself
  const RECORDS = ['customer', 'lead', 'prospect', 'job', 'contact'];
  const TAKEN = 202;

  /** The contexts that are told: saves by people always, those by other programs where the parameter says so. */
  const OPTIONAL = {
    WEBSERVICES: 'custscript_millpond_hint_soap',
    RESTWEBSERVICES: 'custscript_millpond_hint_rest',
    RESTLET: 'custscript_millpond_hint_restlet',
  };

  const parameter = (name) => runtime.getCurrentScript().getParameter({ name });

  const isTold = (context) => {
    if (context === 'USERINTERFACE') {
      return true;
    }
    const ticked = OPTIONAL[context] && parameter(OPTIONAL[context]);
    return ticked === true || ticked === 'T';
  };

  const signature = (text) => {
    const key = crypto.createSecretKey({ secret: parameter(SECRET), encoding: encode.Encoding.UTF_8 });
    const hmac = crypto.createHmac({ algorithm: crypto.HashAlg.SHA256, key });
    hmac.update({ input: text, inputEncoding: encode.Encoding.UTF_8 });
    return hmac.digest({ outputEncoding: encode.Encoding.HEX });
  };

  const post = (hint) => {
    const url = parameter(URL);
    if (!url) {
      throw new Error(`the parameter ${URL} is empty`);
    }
    const body = JSON.stringify(hint);
    const timestamp = String(Math.floor(Date.now() / 1000));
    const nonce = random.generateUUID();
    const answer = https.post({
      url,
      body,
      headers: {
        'Content-Type': 'application/json',
        'X-Millpond-Timestamp': timestamp,
        'X-Millpond-Nonce': nonce,
        'X-Millpond-Signature': `sha256=${signature(`${timestamp}.${nonce}.${body}`)}`,
      },
    });
    if (answer.code !== TAKEN) {
      throw new Error(`answered with ${answer.code}`);
    }
  };

  const afterSubmit = (context) => {
    try {
      // of a deleted record only the old one is there; an inline edit has nothing but the edited fields, and the id
      const record = context.type === context.UserEventType.DELETE ? context.oldRecord : context.newRecord;
      const from = String(runtime.executionContext);
      if (!RECORDS.includes(String(record.type)) || !record.id || !isTold(from)) {
        return;
      }
      post({
        account: runtime.accountId,
        type: String(record.type),
        id: String(record.id),
        event: String(context.type),
        context: from,
      });
    } catch (error) {
      log.error({ title: 'millpond_hint', details: error.message });
    }
  };

  return { afterSubmit };
});
