import Hmac from 'N/crypto/hmac';
import crypto from 'N/crypto';
import https from 'N/https';
import log from 'N/log';
import runtime from 'N/runtime';
import Script from 'N/runtime/script';

import notify from 'SuiteScripts/millpond/millpond_notify';

jest.mock('N/crypto');
jest.mock('N/crypto/hmac');
jest.mock('N/https');
jest.mock('N/log');
jest.mock('N/runtime');
jest.mock('N/runtime/script');

const PARAMETERS = {
  custscript_millpond_notify_url: 'https://millpond.example.com/hooks/netsuite',
  custscript_millpond_notify_secret: 'custsecret_millpond_notify',
};
const UserEventType = { CREATE: 'create', EDIT: 'edit', XEDIT: 'xedit', DELETE: 'delete' };
const saved = (context) => notify.afterSubmit({ type: 'edit', newRecord: { type: 'customer', id: 7 }, UserEventType, ...context });

beforeEach(() => {
  jest.clearAllMocks();
  runtime.executionContext = 'USERINTERFACE';
  runtime.accountId = '1234567_SB1';
  runtime.getCurrentScript.mockReturnValue(Script);
  Script.getParameter.mockImplementation(({ name }) => PARAMETERS[name]);
  crypto.HashAlg = { SHA256: 'SHA256' };
  crypto.createHmac.mockReturnValue(Hmac);
  Hmac.digest.mockReturnValue('AB12');
  https.post.mockReturnValue({ code: 202 });
});

test('a save is sent by type and id alone, signed with the named secret', () => {
  saved({});

  const { url, body, headers } = https.post.mock.calls[0][0];
  expect(url).toBe(PARAMETERS.custscript_millpond_notify_url);
  expect(JSON.parse(body)).toEqual({ account: '1234567_SB1', type: 'customer', id: '7', event: 'edit', context: 'USERINTERFACE' });
  expect(headers['X-Millpond-Signature']).toBe('sha256=AB12');
  expect(crypto.createSecretKey.mock.calls[0][0].secret).toBe('custsecret_millpond_notify');
  expect(Hmac.update.mock.calls[0][0].input).toBe(`${headers['X-Millpond-Timestamp']}.${headers['X-Millpond-Nonce']}.${body}`);
});

test('a deletion sends the old record', () => {
  saved({ type: 'delete', newRecord: null, oldRecord: { type: 'lead', id: 9 } });

  expect(JSON.parse(https.post.mock.calls[0][0].body)).toMatchObject({ type: 'lead', id: '9', event: 'delete' });
});

test('a save of another program is sent if its parameter is set', () => {
  runtime.executionContext = 'RESTLET';
  saved({});
  expect(https.post).not.toHaveBeenCalled();

  Script.getParameter.mockImplementation(({ name }) => ({ ...PARAMETERS, custscript_millpond_notify_restlet: true })[name]);
  saved({});
  expect(https.post).toHaveBeenCalledTimes(1);
});

test('no error fails the save', () => {
  https.post.mockImplementation(() => {
    throw new Error('SSS_REQUEST_TIME_EXCEEDED');
  });

  expect(() => saved({})).not.toThrow();
  expect(log.error.mock.calls[0][0].details).toBe('SSS_REQUEST_TIME_EXCEEDED');
});
