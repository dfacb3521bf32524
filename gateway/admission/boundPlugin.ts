import type { GatewayPlugin } from './clientRequest.ts';

const hooks = [
  'serverWillStart',
  'requestDidStart',
  'unexpectedErrorProcessingRequest',
  'contextCreationDidFail',
  'invalidRequestWasReceived',
  'startupDidFail',
] as const satisfies readonly (keyof GatewayPlugin)[];

/** A copy of the plugin with its hooks bound to it, because a plugin may be an instance of a class with private members. */
export function bindPlugin(plugin: GatewayPlugin): GatewayPlugin {
  const bound = hooks.flatMap((hook) =>
    plugin[hook] === undefined ? [] : [[hook, plugin[hook].bind(plugin)] as const],
  );
  return { ...plugin, ...Object.fromEntries(bound) };
}
