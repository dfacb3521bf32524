/** The value of the first sample of `GET /metrics` that begins with this text. */
export async function scrapeSample(adminUrl: string, start: string): Promise<number> {
  const text = await (await fetch(new URL('/metrics', adminUrl))).text();
  const line = text.split('\n').find((one) => one.startsWith(start)) ?? '';
  return Number(line.slice(line.lastIndexOf(' ')));
}
