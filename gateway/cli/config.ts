import { configJsonSchema } from '../config/jsonSchema.ts';
import { type ConfigOverrides, loadConfig } from '../config/load.ts';
import { printConfig } from '../config/printConfig.ts';

export interface PrintConfigOptions extends ConfigOverrides {
  readonly config?: string | undefined;
}

/** The effective configuration as YAML. */
export function configPrint({ config: file, ...overrides }: PrintConfigOptions): string {
  return printConfig(loadConfig({ file, overrides, env: process.env }));
}

/** The JSON Schema of a configuration file. */
export function configSchema(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}
