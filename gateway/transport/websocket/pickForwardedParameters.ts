import { maxHeaderSize } from 'node:http';

/** A client's connection parameters that are `allowed` to travel to subgraphs, by their exact names. `undefined` where
 *  they are larger than headers may be. */
export function pickForwardedParameters(
  parameters: Readonly<Record<string, unknown>>,
  allowed: ReadonlySet<string>,
): Readonly<Record<string, unknown>> | undefined {
  const own = Object.fromEntries(Object.entries(parameters).filter(([name]) => allowed.has(name)));
  return JSON.stringify(own).length > maxHeaderSize ? undefined : own;
}
