// A page on its own origin that signs in by API key and predicts. No library, no build.

const MENDS = {
  unauthenticated: "Sign in with another key: this one is unknown, expired or revoked.",
  forbidden: "The key lacks a scope: ask an administrator for one with the scope predict.",
  not_found: "Look at the spelling; a model answers once one of its versions is active.",
  too_large: "Send fewer rows at once.",
  unavailable: "The server is busy or stopping: try again in a moment.",
  quota_exceeded: "The tenant has used up what it may use for now: try again later.",
  deadline_exceeded: "The model did not answer in time: try again.",
  internal: "The operator finds the cause in the log, under the request's id.",
};
const RETRYABLE = new Set(["unavailable", "quota_exceeded", "deadline_exceeded", "unreachable"]);

const find = (id) => document.getElementById(id);
const session = { server: "", predictions: "", key: "" }; // in memory alone: a reload signs out

/** What went wrong, in the words of the server's own error form. */
class Problem extends Error {
  constructor(code, message, { details = {}, requestId = "", retryAfter = 0 } = {}) {
    super(message);
    Object.assign(this, { code, details, requestId, retryAfter });
  }
}

/** Call the server with the key, and give the answer's JSON; throw a Problem for all else. */
async function call(url, options = {}) {
  const headers = { Authorization: `Bearer ${session.key}`, ...(options.body && { "Content-Type": "application/json" }) };
  let response;
  try {
    // No cookies: the key alone says who calls.
    response = await fetch(url, { ...options, headers, credentials: "omit", signal: AbortSignal.timeout(30_000) });
  } catch (error) {
    if (error.name === "TimeoutError") throw new Problem("deadline_exceeded", `${new URL(url).origin} gave no answer within 30 s`);
    // A browser tells a page no more than this, so that it cannot look around in networks.
    throw new Problem("unreachable", `The browser let no answer of ${new URL(url).origin} through to this page.`);
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  throw problemOf(response, body);
}

/** Read an error: {"error": {code, message, details, request_id}}; beneath /v2 {"error": message}, the code in a header. */
function problemOf(response, body) {
  const error = body?.error;
  const more = {
    details: error?.details ?? {},
    requestId: error?.request_id ?? response.headers.get("x-request-id") ?? "",
    retryAfter: Number(response.headers.get("retry-after")) || 0,
  };
  const code = error?.code ?? response.headers.get("modelyard-error-code") ?? "internal";
  const message = (typeof error === "string" ? error : error?.message) ?? `The answer (${response.status}) is not Modelyard's.`;
  return new Problem(code, message, more);
}

function mendOf(problem) {
  if (problem.code !== "unreachable") return MENDS[problem.code] ?? "";
  const origin = location.origin;
  if (origin === "null") return "This page was opened as a file, which has no origin: serve it, as its README shows.";
  return `Either nothing runs there, or the key's tenant does not allow pages of ${origin}. An administrator allows it `
    + `in the console under Front ends, or with: modelyard tenants origins add ${origin}`;
}

function show(problem, again) {
  find("problem-title").textContent = problem.code === "unreachable" ? "No answer" : "This did not work";
  find("problem-text").textContent = problem.message;
  find("problem-mend").textContent = mendOf(problem);
  find("problem-id").textContent = problem.requestId ? `Request ${problem.requestId}` : "";
  find("again").hidden = !RETRYABLE.has(problem.code);
  find("again").disabled = problem.retryAfter > 0;
  if (problem.retryAfter > 0) setTimeout(() => { find("again").disabled = false; }, problem.retryAfter * 1000);
  find("again").onclick = again;
  find("problem").hidden = false;
}

/** Run what a person asked for; show what went wrong, and sign out when the key opens nothing any more. */
async function attempt(work) {
  find("problem").hidden = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    const problem = error instanceof Problem ? error : new Problem("internal", String(error));
    if (problem.code === "unauthenticated") signOut();
    show(problem, () => attempt(work));
  } finally {
    document.body.removeAttribute("aria-busy");
  }
}

async function signIn() {
  const given = new FormData(find("sign-in"));
  session.server = new URL(given.get("server")).origin;
  session.predictions = given.get("predictions") ? new URL(given.get("predictions")).origin : session.server;
  session.key = given.get("key").trim();
  await call(`${session.predictions}/v2`); // the data plane knows the key, and this page may read its answers
  find("models").replaceChildren(...(await modelNames()).map((name) => new Option(name)));
  find("sign-in").hidden = true;
  find("signed-in").hidden = false;
  find("choose").elements.model.focus();
}

/** Names to choose from, by the control plane; a key that may only predict sees none, and its user types one. */
async function modelNames() {
  try {
    const listed = await call(`${session.server}/api/v1/models/`);
    return listed.results.map((model) => model.name);
  } catch (problem) {
    if (problem.code === "forbidden") return [];
    throw problem;
  }
}

function signOut() {
  session.key = "";
  find("sign-in").elements.key.value = "";
  find("sign-in").hidden = false;
  for (const id of ["signed-in", "row", "answer"]) find(id).hidden = true;
}

/** Ask the model what it takes (an OpenAPI document), and make a field for each column. */
async function open() {
  const model = new FormData(find("choose")).get("model").trim();
  find("row").hidden = find("answer").hidden = true;
  const document_ = await call(`${session.predictions}/predict/${encodeURIComponent(model)}`);
  const content = Object.values(document_.paths)[0].post.requestBody.content["application/json"];
  const columns = content.schema.oneOf[0].properties.rows.items.properties;
  const example = content.example.rows[0];
  find("row-title").textContent = model;
  find("row").dataset.model = model;
  find("fields").replaceChildren(...Object.keys(columns).map((name) => fieldOf(name, columns[name], example[name])));
  find("row").hidden = false;
}

function fieldOf(name, schema, example) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const wrong = document.createElement("span");
  input.name = name;
  input.value = typeof example === "string" ? example : JSON.stringify(example);
  input.dataset.type = (schema.anyOf ?? [schema])[0].type;
  if (schema.description) input.title = schema.description;
  wrong.className = "wrong";
  label.append(name, input, wrong);
  return label;
}

/** A text stays one; all else is read as JSON where it can be, and the server says what does not fit. */
function valueOf(input) {
  if (input.value === "") return null;
  if (input.dataset.type === "string") return input.value;
  try { return JSON.parse(input.value); } catch { return input.value; }
}

async function predict() {
  const inputs = [...find("fields").querySelectorAll("input")];
  for (const input of inputs) mark(input, "");
  find("answer").hidden = true;
  const row = Object.fromEntries(inputs.map((input) => [input.name, valueOf(input)]));
  const url = `${session.predictions}/predict/${encodeURIComponent(find("row").dataset.model)}`;
  try {
    showAnswer(await call(url, { method: "POST", body: JSON.stringify({ rows: [row] }) }));
  } catch (problem) {
    const input = inputs.find((each) => each.name === problem.details?.column);
    if (!input) throw problem;
    mark(input, problem.message); // the error names the column: say it there
    input.focus();
  }
}

function mark(input, message) {
  input.setAttribute("aria-invalid", String(message !== ""));
  input.parentElement.querySelector(".wrong").textContent = message;
}

function showAnswer(answer) {
  const value = document.createElement("strong");
  const version = document.createElement("p");
  const list = document.createElement("dl");
  value.textContent = String(answer.predictions[0]);
  version.textContent = `${answer.model}, version ${answer.version}`;
  for (const [name, share] of Object.entries(answer.probabilities?.[0] ?? {})) {
    const term = document.createElement("dt");
    const told = document.createElement("dd");
    term.textContent = name;
    told.textContent = share === null ? "none" : `${(100 * share).toFixed(1)} %`;
    list.append(term, told);
  }
  find("answer").replaceChildren(value, version, list);
  find("answer").hidden = false;
}

const on = (id, work) => find(id).addEventListener("submit", (event) => { event.preventDefault(); attempt(work); });
on("sign-in", signIn);
on("choose", open);
on("row", predict);
find("sign-out").addEventListener("click", signOut);
find("origin").textContent = location.origin;
