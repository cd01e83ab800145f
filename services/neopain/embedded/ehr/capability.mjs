// What the demo EHR says it can do (R4 CapabilityStatement); the router itself has no such page.

import { globalSchema } from '@medplum/core';

const RESOURCE_TYPES = [
  'AuditEvent',
  'Binary',
  'Communication',
  'Device',
  'Encounter',
  'Flag',
  'Location',
  'Media',
  'Observation',
  'Organization',
  'Patient',
  'Practitioner',
  'PractitionerRole',
  'Provenance',
  'Task',
];
const INTERACTIONS = ['read', 'vread', 'update', 'patch', 'delete', 'history-instance', 'create', 'search-type'];

export function capabilityStatement(base) {
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: '2026-11-21',
    kind: 'instance',
    software: { name: 'neopain demo EHR (Medplum FHIR router)', version: '5.2.13' },
    implementation: { description: 'In-memory EHR for the demo and the tests; holds no real patient', url: base },
    fhirVersion: '4.0.1',
    format: ['json', 'application/fhir+json'],
    patchFormat: ['application/json-patch+json'],
    rest: [
      {
        mode: 'server',
        resource: RESOURCE_TYPES.map(resourceCapability),
        interaction: [{ code: 'batch' }, { code: 'transaction' }],
      },
    ],
  };
}

function resourceCapability(type) {
  return {
    type,
    interaction: INTERACTIONS.map((code) => ({ code })),
    versioning: 'versioned-update',
    readHistory: true,
    updateCreate: true,
    conditionalCreate: true,
    conditionalUpdate: true,
    conditionalDelete: 'single',
    referencePolicy: ['literal', 'logical'],
    searchParam: Object.values(globalSchema.types[type].searchParams ?? {}).map(({ code, type: kind }) => ({
      name: code,
      type: kind,
    })),
  };
}
