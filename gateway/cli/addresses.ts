export interface Addresses {
  readonly url: string;
  readonly adminUrl: string;
}

/** Tells where the gateway listens; the first thing that a person reads. */
export function printAddresses({ url, adminUrl }: Addresses, workers = 1): void {
  const crowd = workers === 1 ? '' : ` (${workers} workers)`;
  console.log(`Tributary listens on ${url}${crowd}\nAdmin listener on ${adminUrl}`);
}
