import type { GatewayConfig } from '../config/schema.ts';
import type { ComposedSource } from '../config/sections/supergraph.ts';
import { messageOf } from '../errors.ts';
import { fetchSupergraphSdl } from '../supergraph/sources/fetchSupergraphSdl.ts';
import { CommandError, exitCode } from './exitCode.ts';
import { readText } from './textFiles.ts';

/** The SDL of a configured supergraph that is already composed.
 *  @throws {CommandError} `usageError` for an unreadable or empty file, `undecided` for a URL without a supergraph. */
export async function readSupergraph(
  source: Exclude<GatewayConfig['supergraph'], ComposedSource>,
  signal: AbortSignal = new AbortController().signal,
): Promise<string> {
  if ('file' in source) {
    const sdl = readText(source.file);
    if (sdl.trim() !== '') return sdl;
    throw new CommandError(exitCode.usageError, `${source.file} is empty; expected: a supergraph.`);
  }
  if ('load' in source) {
    throw new CommandError(exitCode.usageError, 'supergraph.load is a function, which no command can call.');
  }
  try {
    const fetched = await fetchSupergraphSdl(source, signal, { proxyEnv: process.env });
    return fetched?.sdl ?? '';
  } catch (cause) {
    signal.throwIfAborted();
    throw new CommandError(exitCode.undecided, `${capitalize(messageOf(cause))}.`, { cause });
  }
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
