import { ServerResponse } from 'node:http';

/** Lets the caller frame the chunks of a response: `response.write` writes the length, text and line end of each as three
 *  buffers, which costs nearly as much CPU as the system call. To be called after `writeHead`. Returns false where
 *  `response.write` has to do it: with HTTP/1.0 or HTTP/2, and if middleware of an application has changed it. */
export function takeOverChunking(response: ServerResponse): boolean {
  if (!response.chunkedEncoding || response.write !== ServerResponse.prototype.write) return false;
  response.chunkedEncoding = false;
  return true;
}

/** One chunk of a body. `length`: bytes of the text, at least 1. */
export function framedChunk(text: string, length: number): string {
  return `${length.toString(16)}\r\n${text}\r\n`;
}

/** What follows the last chunk. */
export const endOfChunks = '0\r\n\r\n';
