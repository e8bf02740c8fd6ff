// Uses the page as a reader would, and leaves what it saw as the title of the page.
{
const said = [];
addEventListener("error", (e) => said.push("error: " + e.message));
const click = (node) => node.dispatchEvent(new MouseEvent("click", { bubbles: true }));
const first = () => document.querySelector("#results tbody tr:not([hidden]) td").dataset.value;
const lines = (id) => document.querySelectorAll(`#${id} svg > path[fill=none]`).length;
said.push("ready " + document.documentElement.dataset.ready);
const heads = [...document.querySelectorAll("#results thead button")];
const set = (id, to) => { const box = document.getElementById(id); box.value = to; box.dispatchEvent(new Event("input")); };
const label = (id) => document.querySelector(`#${id} svg`).getAttribute("aria-label");
const names = (id) => [...document.querySelectorAll(`#${id} figcaption`)].map((node) => node.textContent).join(" ");
click(heads[1]); said.push("worst " + first()); click(heads[1]); said.push("best " + first());
said.push("sorted " + heads[1].closest("th").getAttribute("aria-sort"));
const before = lines("convergence"), button = document.querySelector("#legend button");
click(button);
said.push("hidden " + (before > lines("convergence")) + " " + button.getAttribute("aria-pressed"));
click(button); said.push("shown " + (before === lines("convergence")));
const chart = document.querySelector("#convergence svg"), box = chart.getBoundingClientRect();
const middle = { clientX: box.left + box.width / 2, clientY: box.top + 50, bubbles: true };
chart.dispatchEvent(new PointerEvent("pointermove", middle));
said.push("hover " + document.querySelector("#convergence .tip").textContent);
chart.dispatchEvent(new KeyboardEvent("keydown", { key: "End", bubbles: true }));
said.push("key " + document.querySelector("#convergence .tip strong").textContent);
set("metric", "train_loss"); said.push("metric " + label("convergence"));
said.push("ghosts " + document.querySelectorAll("#flow .ghost").length);
set("moment", document.getElementById("moment").max);
said.push("moment " + document.getElementById("moment_text").textContent);
said.push("later " + document.querySelectorAll("#flow .ghost").length);
said.push("maps " + document.querySelectorAll("#maps svg").length);
said.push("theory " + names("maps"));
for (const measure of document.getElementById("measure").options) { set("measure", measure.value); said.push(measure.value + " " + lines("health")); }
set("mapped", "jacobian"); said.push("mapped " + document.querySelector("#maps svg").getAttribute("aria-label"));
const pickers = document.querySelectorAll("select[data-axis]");
if (pickers.length) {
  said.push("across " + lines("across"));
  set("axis_depth", "1"); said.push("facet " + document.querySelector(".facet").textContent);
  click(document.querySelector("#settings tbody tr")); said.push("back " + document.querySelector(".facet").textContent);
  said.push("rows " + document.querySelectorAll("#results tbody tr:not([hidden])").length);
}
said.push("focus " + [...document.querySelectorAll("button, select, input, a, [tabindex]")].every((node) => node.tabIndex >= 0));
said.push("wide " + (document.documentElement.scrollWidth > innerWidth));
const answer = JSON.stringify(said);
if (parent !== window) parent.postMessage(answer, "*");
document.body.replaceChildren(); document.title = answer;
}
