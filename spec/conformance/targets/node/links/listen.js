// Listening on the five links.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';

import { answerHandshakes } from './handshake.js';
import { StreamLink, hangUp } from './stream.js';

const ALPN = 'graftwire/1';
const HOST = '127.0.0.1';

/** A server for a link, that gives `opened` each link which comes about; it does not listen yet. */
function serverFor(name, { files, origins, seconds }, opened) {
  const options = { allowHalfOpen: true, noDelay: true };
  const secure = {
    cert: readFileSync(files.certificate), key: readFileSync(files.key), minVersion: 'TLSv1.2', // LINK-4
    handshakeTimeout: seconds * 1_000,
  };
  switch (name) {
    case 'tcp':
      return net.createServer(options, (socket) => opened(new StreamLink(socket, false)));
    case 'unix':
      return net.createServer(options, (socket) => opened(new StreamLink(socket, true)));
    case 'tls':
      return tls.createServer({ ...options, ...secure, ALPNProtocols: [ALPN] }, (socket) => {
        // a handshake without ALPN comes as far as this (LINK-3)
        if (socket.alpnProtocol === ALPN) opened(new StreamLink(socket, true));
        else hangUp(socket);
      });
    default: {
      const isSecure = name === 'wss';
      const server = isSecure ? https.createServer({ ...options, ...secure }) : http.createServer(options);
      answerHandshakes(server, { isProtected: isSecure, origins, seconds }, opened);
      return server;
    }
  }
}

/** Listen on a link: resolves to {url, close}. `directory` is where a socket may be made. */
export async function listen(name, { directory, ...options }, opened) {
  const server = serverFor(name, options, opened);
  server.on('tlsClientError', (_, socket) => socket.destroy());
  const file = path.join(directory, 'socket');
  await new Promise((resolve, reject) => {
    server.on('error', reject);
    if (name === 'unix') server.listen(file, resolve);
    else server.listen(0, HOST, resolve);
  });
  const isWebSocket = name === 'ws' || name === 'wss';
  const url = name === 'unix' ? `unix:${file}` : `${name}://${HOST}:${server.address().port}${isWebSocket ? '/' : ''}`;
  return { url, close: () => server.close() };
}
