// Throws on a Node that is too old. Imported first by the entries of the gateway, so that it is evaluated before any
// dependency, whose own errors on an old Node say nothing about the version.
import { readFileSync } from 'node:fs';

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  engines: { node: string };
};
const [neededMajor = 0, neededMinor = 0] = numbersOf(engines.node);
const [major = 0, minor = 0] = numbersOf(process.versions.node);

if (major < neededMajor || (major === neededMajor && minor < neededMinor)) {
  throw new Error(
    `Tributary needs Node ${neededMajor}.${neededMinor} or newer, and this is ${process.version}. ` +
      'Install a newer Node, or run the `tributary` command in a clone, which brings its own.',
  );
}

function numbersOf(version: string): number[] {
  return Array.from(version.matchAll(/\d+/g), ([digits]) => Number(digits));
}
