/**
 * Notifies Millpond that a record was created, saved or deleted, by its type and id and without its values.
 *
 * after submit  ->  {account, type, id, event, context}, signed with timestamp and nonce  ->  https.post
 *
 * No record is written and no save fails: errors are logged, nothing is thrown. A lost notification delays the record by
 * minutes: scheduled runs read all changes from NetSuite.
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
  const URL = 'custscript_millpond_notify_url';
  const SECRET = 'custscript_millpond_notify_secret'; // the script id of an API secret, never the secret itself
  const RECORDS = ['customer', 'lead', 'prospect', 'job', 'contact'];
  const ACCEPTED = 202;

  /** Saves in the user interface always count; those of other programs count if the deployment's parameter is set. */
  const OPTIONAL = {
    WEBSERVICES: 'custscript_millpond_notify_soap',
    RESTWEBSERVICES: 'custscript_millpond_notify_rest',
    RESTLET: 'custscript_millpond_notify_restlet',
  };

  const parameter = (name) => runtime.getCurrentScript().getParameter({ name });

  const isNotified = (context) => {
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

  const post = (notification) => {
    const url = parameter(URL);
    if (!url) {
      throw new Error(`the parameter ${URL} is empty`);
    }
    const body = JSON.stringify(notification);
    const timestamp = String(Math.floor(Date.now() / 1000));
    const nonce = random.generateUUID();
    const response = https.post({
      url,
      body,
      headers: {
        'Content-Type': 'application/json',
        'X-Millpond-Timestamp': timestamp,
        'X-Millpond-Nonce': nonce,
        'X-Millpond-Signature': `sha256=${signature(`${timestamp}.${nonce}.${body}`)}`,
      },
    });
    if (response.code !== ACCEPTED) {
      throw new Error(`the webhook answered with ${response.code}`);
    }
  };

  const afterSubmit = (context) => {
    try {
      // a deleted record is only in oldRecord; an inline edit has only the edited fields and the id
      const record = context.type === context.UserEventType.DELETE ? context.oldRecord : context.newRecord;
      const from = String(runtime.executionContext);
      if (!RECORDS.includes(String(record.type)) || !record.id || !isNotified(from)) {
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
      log.error({ title: 'millpond_notify', details: error.message });
    }
  };

  return { afterSubmit };
});
