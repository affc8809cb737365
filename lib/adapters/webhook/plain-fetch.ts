// For Cloudflare Workers, which neither resolve names nor choose the address that is connected to: the name is not
// checked beyond being one. Its platform keeps a Worker from private networks.

import { literalOf } from './addresses.ts';
import { readHookReply, type Send, Unanswerable } from './send.ts';

export const plainFetch =
  (fetch: typeof globalThis.fetch): Send =>
  async ({ url, headers, body, signal }) => {
    if (literalOf(url.hostname) !== undefined || !url.hostname.includes('.')) {
      throw new Unanswerable('its URL must have the full name of a host, and no address');
    }
    const init = { method: 'POST', headers, body, signal, redirect: 'manual' } as const;
    const response = await fetch(url, init);
    try {
      return await readHookReply({
        status: response.status,
        contentEncoding: response.headers.get('content-encoding'),
        body: response.body,
      });
    } catch (error) {
      // What is left unread would keep one of the few connections that a Worker has.
      await response.body?.cancel().catch(() => undefined);
      throw error;
    }
  };
