import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { printSchema, Supergraph } from '@apollo/federation-internals';

// Generates `__generated__/` from `relayProduct.ts`, `relayEnrichedProduct.ts`, `relayReviewAdded.ts` and the demo's API
// schema. Run `node test/e2e/clients/compileRelay.ts` after a change of one of them.
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const supergraphSdl = readFileSync(here('../../fixtures/demo.supergraph.graphql'), 'utf8');
const supergraph = Supergraph.build(supergraphSdl, { supportedFeatures: null });
const schemaFile = here('./api.graphql');

mkdirSync(here('./__generated__'), { recursive: true });
// Relay's compiler accepts @defer only if the server's schema defines it.
const deferDirective =
  'directive @defer(if: Boolean = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT';
writeFileSync(schemaFile, `${printSchema(supergraph.apiSchema())}\n${deferDirective}\n`);
try {
  // Not a dependency, because only this script needs its 120 MB, a program for each platform. It has the versions of Relay.
  const { version } = createRequire(import.meta.url)('relay-runtime/package.json');
  // The compiler resolves the paths in its configuration against the working directory.
  execFileSync('npx', ['--yes', `relay-compiler@${version}`, here('./relay.config.json')], {
    cwd: here('.'),
    stdio: 'inherit',
  });
} finally {
  rmSync(schemaFile);
}
