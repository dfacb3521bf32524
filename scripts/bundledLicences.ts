import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The licences of the packages that a bundle has code of, with their texts: most of them require that every copy contains
 *  them. `files`: the bundled files, relative to `root`. */
export async function bundledLicences(root: string, files: readonly string[]): Promise<string> {
  const directories = new Set(
    files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []),
  );
  const texts = await Promise.all(
    [...directories].sort().map((directory) => licenceOf(join(root, directory))),
  );
  return ['The files beside this one have code of these packages.\n', ...texts].join(
    `\n${'-'.repeat(80)}\n\n`,
  );
}

async function licenceOf(directory: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'));
  const notices = (await readdir(directory)).filter((file) =>
    /^(?:licen[cs]e|copying|notice|third-?party)/i.test(file),
  );
  const texts = await Promise.all(notices.sort().map((file) => readFile(join(directory, file), 'utf8')));
  return [`${name} ${version}: ${license}\n`, ...texts].join('\n');
}
