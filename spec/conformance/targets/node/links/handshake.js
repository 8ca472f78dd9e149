// The WebSocket handshake, at both ends: exactly the headers of WS-6, no extension, one subprotocol, no query. What
// else a request holds (cookies, authorization) is not looked at.

import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';

import { WRONG, WebSocketLink, closeFrame } from './websocket.js';

const SUBPROTOCOL = 'graftwire.1';
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455, section 1.3
const PATH = '/';

const acceptOf = (key) => createHash('sha1').update(key + GUID).digest('base64');
const words = (header = '') => header.toLowerCase().split(',').map((word) => word.trim());

// ---------------------------------------------------------------- the acceptor's end

/** The status that refuses a request, or undefined for one that is answered with 101. */
function refusalOf({ method, url, headers, httpVersion }, origins) {
  if (url.includes('?')) return 400;
  if (url !== PATH) return 404;
  if (!words(headers.upgrade).includes('websocket') || headers['sec-websocket-version'] !== '13') return 426;
  if (method !== 'GET' || httpVersion !== '1.1') return 400;
  if (headers.host === undefined) return 400;
  if (!/^[A-Za-z0-9+/]{22}==$/.test(headers['sec-websocket-key'] ?? '')) return 400;
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  if (!offered.includes(SUBPROTOCOL)) return 400;
  return headers.origin === undefined || origins.includes(headers.origin) ? undefined : 403;
}

const plainAnswer = (status) =>
  `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;

const handshakeAnswer = (key) =>
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  `Sec-WebSocket-Accept: ${acceptOf(key)}\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n\r\n`;

/** Answer handshakes on an HTTP server, and everything else shortly; `opened` is given each link. */
export function answerHandshakes(server, { isProtected, origins, seconds }, opened) {
  const timers = new WeakMap();
  server.on(isProtected ? 'secureConnection' : 'connection', (socket) => {
    // a slow request, or none, holds a connection for so long and no longer
    const timer = setTimeout(() => socket.destroy(), seconds * 1_000);
    socket.once('close', () => clearTimeout(timer));
    timers.set(socket, timer);
  });
  server.on('clientError', (_, socket) => socket.end(plainAnswer(400)));
  server.on('request', (request, response) => {
    const isHealth = request.method === 'GET' && request.url === '/healthz';
    const status = isHealth ? 200 : refusalOf(request, origins) ?? 426;
    response.writeHead(status, { Connection: 'close', 'Content-Length': 0 }).end();
  });
  server.on('upgrade', (request, socket, early) => {
    socket.on('error', () => {});
    const status = refusalOf(request, origins);
    if (status !== undefined) {
      socket.end(plainAnswer(status));
      return;
    }
    socket.write(handshakeAnswer(request.headers['sec-websocket-key']));
    if (early.length > 0) {
      socket.end(closeFrame(WRONG)); // WS-8: it was sent before the answer can have been read
      return;
    }
    clearTimeout(timers.get(socket));
    opened(new WebSocketLink(socket, isProtected, false));
  });
}

// ---------------------------------------------------------------- the initiator's end

/** Ask for a WebSocket on a connected socket. Rejects where it was not given as WS-3, WS-4 and RFC 6455 say. */
export function shakeHands(socket, { host, path, origin, isProtected }) {
  const key = randomBytes(16).toString('base64');
  const headers = {
    Host: host,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': key,
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Protocol': SUBPROTOCOL,
    ...(origin === undefined ? {} : { Origin: origin }),
  };
  return new Promise((resolve, reject) => {
    const request = http.request({ createConnection: () => socket, path, headers });
    request.on('error', reject);
    request.on('response', (response) => reject(new Error(`status ${response.statusCode}`)));
    request.on('upgrade', (response, _, head) => {
      const given = response.headers;
      const isRight =
        given.upgrade?.toLowerCase() === 'websocket' && words(given.connection).includes('upgrade') &&
        given['sec-websocket-accept'] === acceptOf(key) && given['sec-websocket-protocol'] === SUBPROTOCOL &&
        given['sec-websocket-extensions'] === undefined;
      if (isRight) resolve(new WebSocketLink(socket, isProtected, true, head));
      else reject(new Error('the answer to the WebSocket handshake is not what was asked for'));
    });
    request.end();
  });
}
