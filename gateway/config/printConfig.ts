import { stringify } from 'yaml';
import { maskSecrets } from './addressSecrets.ts';
import { type ConfigJsonSchema, childSchemaOf, createConfigJsonSchema } from './configJsonSchema.ts';
import { formatDuration } from './duration.ts';
import { isSection } from './isSection.ts';
import type { GatewayConfig } from './schema.ts';
import { formatSize } from './size.ts';

/** Prints the configuration as a YAML file. Masks secrets, and user names, passwords and query values in addresses. */
export function printConfig(config: GatewayConfig): string {
  return stringify(toOptions(config, createConfigJsonSchema()));
}

function toOptions(value: unknown, schema: ConfigJsonSchema | undefined): unknown {
  if (Array.isArray(value)) return value.map((item) => toOptions(item, schema?.items));
  if (isSection(value)) {
    // What they mean is unknown, and some may be secrets.
    if (schema?.title === 'options') return new Map(Object.keys(value).map((key) => [key, mask]));
    return new Map(
      Object.entries(value).map(([key, item]) => [key, toOptions(item, childSchemaOf(schema, key))]),
    );
  }
  if (typeof value === 'number' && schema?.title === 'duration') return formatDuration(value);
  if (typeof value === 'number' && schema?.title === 'size') return formatSize(value);
  if (typeof value !== 'string' || value === '') return value;
  if (schema?.title === 'secret') return mask;
  return schema?.title === 'address' ? maskSecrets(value) : value;
}

const mask = '***';
