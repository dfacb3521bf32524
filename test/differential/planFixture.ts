import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const directory = new URL('../fixtures/plans/', import.meta.url);

/** `UPDATE_PLANS=1` rewrites the fixtures. Read the difference before you commit it. */
const isUpdate = process.env.UPDATE_PLANS === '1';

/** The first line in which `text` differs from the fixture of that name, as text. */
export function findFixtureDifference(name: string, text: string): string | undefined {
  const file = new URL(`${name}.txt`, directory);
  if (isUpdate) writeFileSync(file, text);
  if (!existsSync(file)) return `${name}.txt is missing: run with UPDATE_PLANS=1`;
  const known = readFileSync(file, 'utf8').split('\n');
  const found = text.split('\n');
  const index = Array.from({ length: Math.max(known.length, found.length) }, (_, line) => line).find(
    (line) => known[line] !== found[line],
  );
  if (index === undefined) return undefined;
  return `${name}.txt, line ${index + 1}: ${known[index]}\ninstead: ${found[index]}`;
}
