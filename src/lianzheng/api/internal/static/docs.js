"use strict";
// Renders /openapi.json without any code from elsewhere: a broker's network reaches no content delivery network.
const make = (tag, text, className) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
};

const resolve = (document_, schema) =>
  schema && schema.$ref ? schema.$ref.split("/").slice(1).reduce((at, key) => at[key], document_) : schema;

function form(path, method, operation, document_) {
  const box = make("form");
  const inputs = (operation.parameters || [])
    .filter((one) => one.in !== "header")
    .map((one) => {
      const label = make("label", `${one.name} (${one.in}) `);
      const input = make("input");
      label.append(input);
      box.append(label);
      return { ...one, input };
    });
  let body = null;
  if (method !== "get") {
    body = make("textarea");
    body.setAttribute("aria-label", "正文 body");
    const content = operation.requestBody && Object.values(operation.requestBody.content)[0];
    if (content) box.append(make("pre", JSON.stringify(resolve(document_, content.schema), null, 2)));
    box.append(body);
  }
  const button = make("button", "发送 send");
  const answer = make("pre");
  answer.hidden = true;
  box.append(button, answer);
  box.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams();
    let target = path;
    for (const one of inputs) {
      if (one.in === "path") target = target.replace(`{${one.name}}`, encodeURIComponent(one.input.value));
      else if (one.input.value) query.set(one.name, one.input.value);
    }
    const headers = { "content-type": "application/json" };
    const token = document.getElementById("token").value;
    if (token) headers.authorization = `Bearer ${token}`;
    answer.hidden = false;
    answer.textContent = "… 等待 waiting";
    try {
      const suffix = query.size ? `?${query}` : "";
      const response = await fetch(target + suffix, {
        method: method.toUpperCase(), headers, body: body && body.value ? body.value : undefined,
      });
      const text = await response.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
      answer.textContent = `${response.status} ${response.statusText}\n\n${shown}`;
      answer.className = response.ok ? "" : "error";
    } catch (error) {
      answer.textContent = `节点没有应答 the node does not answer: ${error.message}`;
      answer.className = "error";
    }
  });
  return box;
}

function route(path, method, operation, document_) {
  const box = make("details");
  const summary = make("summary");
  const locked = (operation.security || []).length > 0;
  summary.append(make("span", method.toUpperCase(), "method"), make("code", path), make("span", `  ${operation.summary || ""}`));
  if (locked) summary.append(make("span", "  令牌 token", "lock"));
  box.append(summary, make("p", operation.description || ""), form(path, method, operation, document_));
  return box;
}

async function show() {
  const place = document.getElementById("routes");
  try {
    const document_ = await (await fetch("/openapi.json")).json();
    document.getElementById("version").textContent = document_.info.version;
    const groups = new Map();
    for (const [path, methods] of Object.entries(document_.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const tag = (operation.tags || ["other"])[0];
        if (!groups.has(tag)) groups.set(tag, []);
        groups.get(tag).push(route(path, method, operation, document_));
      }
    }
    place.replaceChildren();
    for (const [tag, routes] of groups) place.append(make("h2", tag), ...routes);
    if (!groups.size) place.textContent = "没有接口 no routes";
  } catch (error) {
    place.textContent = `无法读取接口说明 cannot read the description: ${error.message}`;
    place.className = "error";
  }
}

show();
