// Installs a packed package in an empty folder, and uses it as a program and as a library. Plain JavaScript, so that it
// runs on each Node that the package supports.
//
//   npm pack && node scripts/smokePackage.mjs tributary-gateway-0.1.0.tgz

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

const [tarball] = process.argv.slice(2);
if (tarball === undefined) {
  console.error('Usage: node scripts/smokePackage.mjs PACKAGE.tgz');
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'tributary-smoke-'));
const subgraph = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const sdl = 'type Query { hello: String }';
  const data = body.includes('_service') ? { _service: { sdl } } : { hello: 'world' };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ data }));
});

try {
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  run('npm', ['install', '--no-audit', '--no-fund', resolve(tarball)]);
  const [name] = Object.keys(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).dependencies);
  const { version } = JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8'));
  assert.equal(run('npx', ['tributary', '--version']).trim(), version);

  writeFileSync(
    join(folder, 'library.js'),
    `import { createGateway } from '${name}';
     const load = () => 'schema { query: Query } type Query { hello: String }';
     const gateway = await createGateway({ supergraph: { load }, telemetry: { logLevel: 'silent' } });
     await gateway.start({ listen: false, admin: false });
     await gateway.close();
     console.log('closed');`,
  );
  assert.equal(run(process.execPath, ['library.js']), 'closed\n');

  await once(subgraph.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${subgraph.address().port}/graphql`;
  writeFileSync(
    join(folder, 'tributary.yaml'),
    `listen: { port: 0, shutdownDelay: 0s }
admin: { port: 0 }
supergraph: { subgraphs: [{ name: hello, url: '${url}' }] }
`,
  );
  await serve();
  console.log(`${name} ${version} works on Node ${process.version}.`);
} finally {
  subgraph.close();
  subgraph.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
}

function run(command, args) {
  return execFileSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  });
}

async function serve() {
  const command = join('node_modules', '.bin', 'tributary');
  const gateway = spawn(process.execPath, [command, 'serve'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(gateway, 'exit');
  const timeout = setTimeout(() => gateway.kill('SIGKILL'), 60_000);
  try {
    let address;
    for await (const line of createInterface(gateway.stdout)) {
      address = /listens on (\S+)/.exec(line)?.[1];
      if (address !== undefined) break;
    }
    assert.ok(address, 'The gateway ended before it listened.');
    const answer = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query":"{ hello }"}',
    });
    assert.deepEqual(await answer.json(), { data: { hello: 'world' } });
  } finally {
    gateway.kill('SIGTERM');
    const [code] = await ended;
    clearTimeout(timeout);
    assert.equal(code, 0, 'The gateway did not exit with code 0 at SIGTERM.');
  }
}
