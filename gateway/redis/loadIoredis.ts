import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Loads ioredis when a connection is created, for gateways with Redis only. */
export const loadIoredis = (): typeof import('ioredis') => require('ioredis');
