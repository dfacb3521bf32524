/** The two subgraphs of one case, in a process of their own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cases, type Entity } from './cases.ts';

const name = process.argv[2];
const stallCase = cases.find((candidate) => candidate.name === name);
if (stallCase === undefined) throw new Error(`There is no case "${name}".`);

const root = stallCase.root?.() ?? '{"data":{"items":[{"__typename":"Item","id":"1","name":"one"}]}}';
const rootBytes = Buffer.from(root);
const entity = stallCase.entity ?? ((): Entity => ({ price: 1 }));

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString();
    let answer: Buffer = rootBytes;
    if (body.includes('_entities')) {
      const { variables } = JSON.parse(body) as { variables: Record<string, unknown> };
      const data: Record<string, unknown> = {};
      const errors: unknown[] = [];
      for (const [variable, list] of Object.entries(variables)) {
        if (!variable.startsWith('representations')) continue;
        const alias =
          variable === 'representations' ? '_entities' : variable.replace('representations', '_e');
        data[alias] = (list as { id: string }[]).map(({ id }, index) => {
          const made = entity(id, index);
          if ('error' in made) {
            errors.push({ message: made.error, path: [alias, index, 'price'] });
            return null;
          }
          return { __typename: 'Item', ...made };
        });
      }
      answer = Buffer.from(JSON.stringify(errors.length === 0 ? { data } : { data, errors }));
    }
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
    response.end(answer);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql` });
});
