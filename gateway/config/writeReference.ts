import { writeFileSync } from 'node:fs';
import { printReference } from './printReference.ts';

writeFileSync(new URL('../../docs/configuration.md', import.meta.url), printReference());
