// Dialling: a URL becomes a link.

import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';

import { shakeHands } from './handshake.js';
import { StreamLink, hangUp } from './stream.js';

const ALPN = 'graftwire/1';
// LINK-8. There is no place for a user name, a password, a query or a fragment; stream links have no path, either.
const STREAM_URL = /^(tcp|tls):\/\/(\[[\da-fA-F:.]+\]|[\w.-]+):(\d{1,5})$/;
const WEBSOCKET_URL = /^(ws|wss):\/\/(\[[\da-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?(\/[^?#\s]*)?$/;
const UNIX_URL = /^unix:(\/[^?#]+)$/;

/** The URL is not one that may be dialled; it is not repeated anywhere. */
export class UrlRefused extends Error {}

/** The parts of a URL. Raises UrlRefused. */
function parse(url) {
  const unix = UNIX_URL.exec(url);
  if (unix !== null) return { scheme: 'unix', path: unix[1] };
  const found = STREAM_URL.exec(url) ?? WEBSOCKET_URL.exec(url);
  if (found === null) throw new UrlRefused();
  const [, scheme, bracketed, port = scheme === 'wss' ? '443' : '80', path = '/'] = found;
  if (Number(port) < 1 || Number(port) > 65_535) throw new UrlRefused();
  return { scheme, host: bracketed.replace(/^\[|\]$/g, ''), authority: url.split('/')[2], port: Number(port), path };
}

/** Connect. Raises UrlRefused before anything is sent, and any other error where no link comes about. */
export async function dial(url, { authority, origin, seconds }) {
  const parts = parse(url);
  const socket = connect(parts, authority);
  const timer = setTimeout(() => socket.destroy(new Error('it took too long')), seconds * 1_000);
  try {
    return await linkOver(socket, parts, origin);
  } catch (error) {
    hangUp(socket);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function connect({ scheme, host, port, path }, authority) {
  const options = { allowHalfOpen: true, noDelay: true };
  if (scheme === 'unix') return net.connect({ ...options, path });
  if (scheme === 'tcp' || scheme === 'ws') return net.connect({ ...options, host, port });
  return tls.connect({
    ...options, host, port, ca: readFileSync(authority), minVersion: 'TLSv1.2',
    servername: net.isIP(host) ? '' : host, // the name is verified in any case; a bare address has no place in SNI
    rejectUnauthorized: false, // it would cut the link without a close_notify: `linkOver` refuses
    ALPNProtocols: scheme === 'tls' ? [ALPN] : ['http/1.1'],
  });
}

async function linkOver(socket, { scheme, authority: host, path }, origin) {
  const isSecure = scheme === 'tls' || scheme === 'wss';
  await new Promise((resolve, reject) => {
    socket.once(isSecure ? 'secureConnect' : 'connect', resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
  if (isSecure && !socket.authorized) throw new Error('the certificate is not right'); // LINK-4
  if (scheme === 'tls' && socket.alpnProtocol !== ALPN) throw new Error('ALPN was not selected'); // LINK-3
  if (scheme === 'ws' || scheme === 'wss') return shakeHands(socket, { host, path, origin, isProtected: isSecure });
  return new StreamLink(socket, scheme !== 'tcp');
}
