// An authorization server of SMART Backend Services that takes nothing for granted (jose verifies), and a gate before
// an EHR that lets only its tokens through. node server.mjs EHR_URL [CA CERTIFICATE KEY]: the files turn mutual TLS on.
// PUT /test sets what is registered and what fails; GET /test says what was seen. Prints its port.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";

const [ehr, ca, cert, key] = process.argv.slice(2);
const tls = ca && { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key), requestCert: true };
const usual = { keys: [], client: "neopain-1", lifetime: 300, algorithms: ["RS384", "ES384"], fault: null, granted: null, close: false };
const state = { ...usual, base: "", used: new Set(), tokens: new Set(), seen: [] };

const read = async (request) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
};
const json = (response, status, body, headers = {}) =>
  response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
const demand = (holds, what) => {
  if (!holds) throw new Error(what);
};

async function assertion(form) {
  demand(form.get("client_assertion_type") === "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "type");
  const { payload } = await jwtVerify(form.get("client_assertion"), createLocalJWKSet({ keys: state.keys }), {
    algorithms: state.algorithms,
    audience: `${state.base}/token`,
    issuer: state.client,
    subject: state.client,
    typ: "JWT",
    requiredClaims: ["iss", "sub", "aud", "exp", "jti"],
  });
  demand(payload.exp - Date.now() / 1000 <= 300, "exp is more than five minutes ahead");
  demand(!state.used.has(payload.jti), "jti was used before");
  state.used.add(payload.jti);
  return decodeProtectedHeader(form.get("client_assertion"));
}

async function token(request, response) {
  const form = new URLSearchParams((await read(request)).toString());
  if (state.fault) return json(response, state.fault.status, state.fault.body ?? {}, state.fault.headers);
  if (request.headers["content-type"] !== "application/x-www-form-urlencoded" || form.get("grant_type") !== "client_credentials")
    return json(response, 400, { error: "invalid_request" });
  try {
    const { kid, alg } = await assertion(form);
    const access_token = randomUUID();
    state.tokens.add(access_token);
    const peer = tls && { peer: request.socket.getPeerCertificate().subject?.CN };
    state.seen.push({ kid, alg, scope: form.get("scope"), ...peer });
    json(response, 200, { access_token, token_type: "bearer", expires_in: state.lifetime, scope: state.granted ?? form.get("scope") });
  } catch (error) {
    state.seen.push({ refused: error.message });
    json(response, 400, { error: "invalid_client", error_description: error.message });
  }
}

async function gate(request, response) {
  const [, bearer] = /^Bearer (.+)$/.exec(request.headers.authorization ?? "") ?? [];
  if (!state.tokens.has(bearer)) return json(response, 401, { resourceType: "OperationOutcome", issue: [] });
  const { host, authorization, connection, "content-length": length, ...headers } = request.headers;
  const body = ["GET", "HEAD"].includes(request.method) ? undefined : await read(request);
  const answer = await fetch(ehr + request.url.slice("/fhir".length), { method: request.method, headers, body });
  response.writeHead(answer.status, { "Content-Type": "application/fhir+json" }).end(Buffer.from(await answer.arrayBuffer()));
}

async function test(request, response) {
  if (request.method === "PUT") {
    const told = JSON.parse(await read(request));
    Object.assign(state, usual, { seen: [] }, told.forget ? { tokens: new Set() } : {}, told);
  }
  json(response, 200, { seen: state.seen, tokens: [...state.tokens] });
}

const routes = { "/token": token, "/test": test };
const serve = (request, response) => {
  const path = request.url.split("?")[0];
  if (state.close) response.setHeader("Connection", "close");
  if (path === "/fhir/.well-known/smart-configuration") {
    const token_endpoint_auth_signing_alg_values_supported = state.algorithms;
    return json(response, 200, { token_endpoint: `${state.base}/token`, token_endpoint_auth_signing_alg_values_supported });
  }
  (routes[path] ?? gate)(request, response).catch((error) => json(response, 502, { error: String(error) }));
};
const server = tls ? https.createServer(tls, serve) : http.createServer(serve);
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  state.base = `${tls ? "https://localhost" : "http://127.0.0.1"}:${port}`;
  console.log(state.base);
});
process.stdin.on("end", () => process.exit(0)).resume();
