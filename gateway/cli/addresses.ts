export interface Addresses {
  readonly url: string;
  readonly adminUrl: string;
}

/** Prints the addresses of both listeners to standard output. */
export function printAddresses({ url, adminUrl }: Addresses, workers = 1): void {
  const workerCount = workers === 1 ? '' : ` (${workers} workers)`;
  console.log(`Tributary listens on ${url}${workerCount}\nAdmin listener on ${adminUrl}`);
}
