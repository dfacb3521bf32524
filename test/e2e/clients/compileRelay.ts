import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { printSchema, Supergraph } from '@apollo/federation-internals';

// Makes `__generated__/` of `relayProduct.ts`, `relayReviewAdded.ts` and the demo's API schema: `node
// test/e2e/clients/compileRelay.ts` after one of them has changed.
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const supergraphSdl = readFileSync(here('../../fixtures/demo.supergraph.graphql'), 'utf8');
const supergraph = Supergraph.build(supergraphSdl, { supportedFeatures: null });
const schemaFile = here('./api.graphql');

mkdirSync(here('./__generated__'), { recursive: true });
// Relay's compiler knows @defer only where the server's schema has it.
const deferDirective =
  'directive @defer(if: Boolean = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT';
writeFileSync(schemaFile, `${printSchema(supergraph.apiSchema())}\n${deferDirective}\n`);
try {
  const compiler = createRequire(import.meta.url).resolve('relay-compiler/cli.js');
  // The compiler takes the paths of its configuration from where it is started.
  execFileSync(process.execPath, [compiler, here('./relay.config.json')], {
    cwd: here('.'),
    stdio: 'inherit',
  });
} finally {
  rmSync(schemaFile);
}
