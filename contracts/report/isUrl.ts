/** Whether what a finding is in is no file: the SDL of a subgraph that runs is where the subgraph is. */
export function isUrl(file: string): boolean {
  return /^https?:\/\//i.test(file) && URL.canParse(file);
}
