// A function of CloudFront, at the viewer's request, before the page of challenges alone: API Gateway would give
// WWW-Authenticate another name, and an MDM that waits to be asked would never say who it is. It also makes one spelling of
// the path, because routes of the API are case-sensitive. Whoever brings credentials is judged by the function behind it.

// biome-ignore lint/correctness/noUnusedVariables: CloudFront calls it.
function handler(event) {
  var request = event.request;
  if (!request.headers.authorization) {
    return {
      statusCode: 401,
      statusDescription: 'Unauthorized',
      headers: {
        'www-authenticate': { value: 'Basic realm="Scepter", charset="UTF-8"' },
        'cache-control': { value: 'no-store' },
      },
    };
  }
  request.uri = request.uri
    .toLowerCase()
    .replace(/\/{2,}/g, '/')
    .replace(/\/$/, '');
  return request;
}
