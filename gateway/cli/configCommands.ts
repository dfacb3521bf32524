import { createConfigJsonSchema } from '../config/configJsonSchema.ts';
import { type ConfigOverrides, loadConfigWithSources } from '../config/loadConfig.ts';
import { printConfig } from '../config/printConfig.ts';

interface PrintConfigOptions extends ConfigOverrides {
  readonly config?: string | undefined;
}

/** The effective configuration as YAML. */
export function printEffectiveConfig({ config: file, ...overrides }: PrintConfigOptions): string {
  const { config, textsFromFiles } = loadConfigWithSources({ file, overrides, env: process.env });
  return printConfig(config, textsFromFiles);
}

/** The JSON Schema of a configuration file. */
export function printConfigJsonSchema(): string {
  return `${JSON.stringify(createConfigJsonSchema(), null, 2)}\n`;
}
