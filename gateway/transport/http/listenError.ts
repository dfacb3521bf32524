/** The host and the port of a listener, with the option that has the port. */
export interface ListenerAddress {
  readonly option: 'listen.port' | 'admin.port';
  readonly host: string;
  readonly port: number;
}

/** Names the address and the option of a listener that could not listen, with a remedy. Keeps the code of the error.
 *  Returns other errors as they are. */
export function toListenError(error: unknown, { option, host, port }: ListenerAddress): unknown {
  if (!(error instanceof Error)) return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  const address = addressText(host, port);
  const hostOption = option === 'listen.port' ? 'listen.host or --host' : 'admin.host';
  const otherPort = `choose another port with ${option} or ${option === 'listen.port' ? '--port' : '--admin-port'}.`;
  const messages: Readonly<Record<string, string>> = {
    EADDRINUSE: `${address} is in use. End the process that listens there, or ${otherPort}`,
    EADDRNOTAVAIL: `${address} is not an address of this host. Set ${hostOption} to one of its addresses.`,
    EACCES: `${address} needs permission to listen on ports below 1024. Give the process the capability CAP_NET_BIND_SERVICE, or ${otherPort}`,
    ENOTFOUND: `The host name ${host} has no address. Set ${hostOption} to an address of this host, or to a name that has one.`,
    EAI_AGAIN: `The name server did not answer for the host name ${host} (EAI_AGAIN). Try again, or set ${hostOption} to an address of this host.`,
  };
  const message = messages[code ?? ''];
  return message === undefined
    ? error
    : Object.assign(new Error(message, { cause: error }), { code, syscall });
}

/** Host and port as URLs have them: an IPv6 address in brackets. */
export function addressText(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Waits for all listeners. @throws one error with the problems of all that cannot listen. */
export async function listenAll(listening: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(listening);
  const [error, ...others] = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason] : [],
  );
  if (error === undefined) return;
  for (const { message } of others) error.message += `\n${message}`;
  throw error;
}
