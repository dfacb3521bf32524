import { stringify } from 'yaml';
import { maskSecrets } from './addressSecrets.ts';
import { formatConfigPath } from './configError.ts';
import { type ConfigJsonSchema, childSchemaOf, createConfigJsonSchema } from './configJsonSchema.ts';
import { formatDuration } from './duration.ts';
import { isSection } from './isSection.ts';
import type { GatewayConfig } from './schema.ts';
import { formatSize } from './size.ts';

/** Prints the configuration as a YAML file. Masks secrets, and user names, passwords and query values in addresses.
 *  `textsFromFiles`: paths of options with the text of a file, which is masked as well where it is not an address. */
export function printConfig(config: GatewayConfig, textsFromFiles: ReadonlySet<string> = new Set()): string {
  const isFromFile = (path: readonly PropertyKey[]): boolean => textsFromFiles.has(formatConfigPath(path));
  return stringify(toOptions(config, createConfigJsonSchema(), [], isFromFile));
}

function toOptions(
  value: unknown,
  schema: ConfigJsonSchema | undefined,
  path: readonly PropertyKey[],
  isFromFile: (path: readonly PropertyKey[]) => boolean,
): unknown {
  const childOptions = (item: unknown, key: PropertyKey): unknown =>
    toOptions(item, childSchemaOf(schema, key), [...path, key], isFromFile);
  if (Array.isArray(value)) return value.map(childOptions);
  if (isSection(value)) {
    // The gateway does not know what options of extensions mean, and some may be secrets.
    if (schema?.title === 'options') return new Map(Object.keys(value).map((key) => [key, mask]));
    return new Map(Object.entries(value).map(([key, item]) => [key, childOptions(item, key)]));
  }
  if (typeof value === 'number' && schema?.title === 'duration') return formatDuration(value);
  if (typeof value === 'number' && schema?.title === 'size') return formatSize(value);
  if (typeof value !== 'string' || value === '') return value;
  if (schema?.title === 'secret') return mask;
  if (schema?.title === 'address') return maskSecrets(value);
  return isFromFile(path) ? mask : value;
}

const mask = '***';
