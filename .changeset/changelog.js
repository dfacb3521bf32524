// The lines of CHANGELOG.md, which `changeset version` writes.
import { readFileSync } from 'node:fs';
import defaults from '@changesets/cli/changelog';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Other changesets before the first release describe changes of what was never published. */
const isFirstRelease = version === '0.0.0';

async function getReleaseLine(changeset, type, options) {
  if (isFirstRelease && changeset.id !== 'first-release') return '';
  const line = await defaults.getReleaseLine(changeset, type, options);
  // Links start at the root, and not at this directory.
  return line.replaceAll('](../', '](');
}

export default { ...defaults, getReleaseLine };
