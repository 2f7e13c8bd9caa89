"use strict";
// Shows stored matches. Every text from outside goes through `textContent`; nothing is fetched.
(() => {
  const PAGE = 50;
  const root = document.getElementById("replays");
  const index = JSON.parse(document.getElementById("index").textContent);
  const [ID, GAME, A, B, PAIR, LEG, RETURN_A, RETURN_B, FORFEIT, TURNS, CHUNK, PLACE] = index.columns.keys();
  const matches = index.matches;
  const nameOf = (number) => index.names[number];
  const chunks = new Map();
  let wanted = matches.map((_, place) => place);
  let page = 0;
  let current = -1;
  let match = null;
  let turn = 0;
  let asked = 0;

  function make(kind, text, ...classes) {
    const node = document.createElement(kind);
    if (text !== undefined && text !== null) node.textContent = text;
    node.classList.add(...classes);
    return node;
  }

  const called = (text) => make("span", text, "isolated");
  const seats = (row) => (row[LEG] === 0 ? [row[A], row[B]] : [row[B], row[A]]).map(nameOf);

  function outcome(row) {
    if (row[RETURN_A] === row[RETURN_B]) return "draw";
    const winner = nameOf(row[RETURN_A] > row[RETURN_B] ? row[A] : row[B]);
    return `${winner} wins${row[FORFEIT] ? " by forfeit" : ""}`;
  }

  async function load(number) {
    if (chunks.has(number)) return chunks.get(number);
    const text = document.getElementById(`chunk-${number}`).textContent;
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const found = JSON.parse(await new Response(stream).text());
    if (chunks.size > 20) chunks.delete(chunks.keys().next().value);
    chunks.set(number, found);
    return found;
  }

  // The list

  const filters = make("div", null, "filters");
  const chooseGame = choice("every game", index.games);
  const choosePlayer = choice("every player", index.players);
  const chooseResult = make("select");
  for (const word of ["every result", "decided", "draw", "forfeit"]) chooseResult.append(make("option", word));
  chooseResult.setAttribute("aria-label", "result");
  chooseResult.addEventListener("change", filter);
  const count = make("span", null, "soft");
  const before = button("‹ page", () => turnPage(-1));
  const after = button("page ›", () => turnPage(1));
  filters.append(chooseGame, choosePlayer, chooseResult, before, after, count);
  const list = make("div", null, "list");
  const view = make("div", null, "match");
  const grid = make("div", null, "replay");
  grid.append(list, view);
  if (index.left_out) {
    const words = `To keep this file small, ${index.left_out} of ${matches.length} matches are listed without their turns.`;
    root.append(make("p", words, "warning"));
  }
  root.append(filters, grid);

  const slider = make("input");
  slider.type = "range";
  slider.min = "0";
  slider.setAttribute("aria-label", "turn");
  slider.addEventListener("input", () => go(Number(slider.value)));
  const back = button("← back", () => go(turn - 1));
  const next = button("next →", () => go(turn + 1));
  const position = make("span", null, "soft");
  const steps = make("div", null, "steps");
  steps.append(back, next, slider, position);
  const moves = make("div", null, "moves");
  const body = make("div");

  function choice(all, numbers) {
    const select = make("select");
    select.append(make("option", all));
    for (const number of numbers) {
      const option = make("option", nameOf(number));
      option.value = String(number);
      select.append(option);
    }
    select.options[0].value = "";
    select.setAttribute("aria-label", all.replace("every ", ""));
    select.addEventListener("change", filter);
    return select;
  }

  function button(text, act) {
    const node = make("button", text);
    node.type = "button";
    node.addEventListener("click", act);
    return node;
  }

  function filter() {
    const game = chooseGame.value === "" ? null : Number(chooseGame.value);
    const player = choosePlayer.value === "" ? null : Number(choosePlayer.value);
    const result = chooseResult.value;
    wanted = [];
    matches.forEach((row, place) => {
      const even = row[RETURN_A] === row[RETURN_B];
      if (game !== null && row[GAME] !== game) return;
      if (player !== null && row[A] !== player && row[B] !== player) return;
      if ((result === "draw" && !even) || (result === "decided" && even) || (result === "forfeit" && !row[FORFEIT])) return;
      wanted.push(place);
    });
    page = 0;
    drawList();
    if (wanted.length && !wanted.includes(current)) open(wanted[0]);
  }

  function turnPage(by) {
    page += by;
    drawList();
  }

  function drawList() {
    const pages = Math.max(1, Math.ceil(wanted.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    list.replaceChildren();
    for (const place of wanted.slice(page * PAGE, (page + 1) * PAGE)) {
      const row = matches[place];
      const node = button("", () => open(place));
      const [first, second] = seats(row);
      node.append(called(first), " – ", called(second));
      node.append(make("small", `${nameOf(row[GAME])} · pair ${row[PAIR] + 1}${row[LEG] ? "b" : "a"} · ${outcome(row)}`, "isolated"));
      node.setAttribute("aria-current", String(place === current));
      list.append(node);
    }
    before.disabled = page === 0;
    after.disabled = page === pages - 1;
    count.textContent = `${wanted.length} of ${matches.length} matches, page ${page + 1} of ${pages}`;
  }

  // The match

  async function open(place) {
    const mine = ++asked;
    current = place;
    const shown = wanted.indexOf(place);
    if (shown >= 0) page = Math.floor(shown / PAGE);
    drawList();
    const row = matches[place];
    try {
      const found = row[CHUNK] < 0 ? null : (await load(row[CHUNK]))[row[PLACE]];
      if (mine !== asked) return;
      match = found;
    } catch (error) {
      if (mine !== asked) return;
      match = null;
      view.replaceChildren(make("p", `This browser cannot unpack the match: ${error}`, "bad"));
      return;
    }
    turn = match && match.turns.length ? 1 : 0;
    drawMatch();
  }

  function drawMatch() {
    const row = matches[current];
    const [first, second] = seats(row);
    const title = make("h3");
    title.append(called(first), " (seat 0) – ", called(second), " (seat 1)");
    const about = make("p", `${nameOf(row[GAME])} · pair ${row[PAIR] + 1}, leg ${row[LEG]} · ${outcome(row)}`, "soft", "isolated");
    view.replaceChildren(title, about);
    if (!match) {
      const why = row[TURNS] ? "The turns of this match are left out of this file." : "No turns are stored of this match.";
      view.append(make("p", why, "soft"));
      return;
    }
    slider.max = String(match.turns.length);
    moves.replaceChildren(...match.turns.map((one, place) => {
      const node = button(one.illegal ? "illegal" : one.action, () => go(place + 1));
      node.classList.add("isolated");
      if (one.illegal) node.classList.add("bad");
      return node;
    }));
    view.append(steps, moves, body);
    drawTurn();
  }

  function drawTurn() {
    slider.value = String(turn);
    back.disabled = turn === 0;
    next.disabled = turn === match.turns.length;
    position.textContent = `${turn} / ${match.turns.length}`;
    [...moves.children].forEach((node, place) => node.setAttribute("aria-current", String(place + 1 === turn)));
    body.replaceChildren();
    if (turn === 0) {
      body.append(make("p", "The first position.", "soft"), board(match.board));
    } else {
      drawReply(match.turns[turn - 1], seats(matches[current]));
    }
  }

  function drawReply(one, players) {
    const line = make("p", null, "move");
    line.append(called(players[one.seat]), ` (seat ${one.seat}): `);
    if (one.illegal) {
      line.append(make("span", one.answer, "isolated", "mono"), make("span", ` is illegal: ${one.illegal}`, "bad", "isolated"));
    } else {
      line.append(make("b", one.action, "isolated", "mono"));
    }
    body.append(line);
    let shown = turn - 1;
    while (shown >= 0 && !match.turns[shown].board) shown -= 1;
    body.append(board(shown < 0 ? match.board : match.turns[shown].board));
    if (one.thought) body.append(make("div", one.thought, "thought"));
    const facts = [];
    if (one.thought_kind || one.thought_source) facts.push(`thought: ${[one.thought_kind, one.thought_source].filter(Boolean).join(", from ")}`);
    if (one.prompt_tokens || one.completion_tokens) facts.push(`tokens: ${one.prompt_tokens} in, ${one.completion_tokens} out`);
    if (one.reasoning_tokens) facts.push(`${one.reasoning_tokens} of reasoning`);
    if (one.seconds) facts.push(`${one.seconds.toFixed(2)} s`);
    if (one.finish_reason && one.finish_reason !== "stop") facts.push(`ended by ${one.finish_reason}`);
    if (facts.length) body.append(make("p", facts.join(" · "), "soft", "isolated"));
    fold("What the player was shown", one.observation);
    fold("The whole reply", one.text);
  }

  function fold(title, text) {
    if (!text) return;
    const details = make("details");
    details.append(make("summary", title), make("div", text, "raw", "mono"));
    body.append(details);
  }

  const board = (text) => make("pre", text || "No position is stored.", "board");

  function go(to) {
    if (!match) return;
    turn = Math.min(Math.max(to, 0), match.turns.length);
    drawTurn();
  }

  function step(by) {
    const place = wanted.indexOf(current) + by;
    if (place >= 0 && place < wanted.length) open(wanted[place]);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const acts = {
      ArrowLeft: () => go(turn - 1), h: () => go(turn - 1), ArrowRight: () => go(turn + 1), l: () => go(turn + 1),
      j: () => step(1), n: () => step(1), k: () => step(-1), p: () => step(-1),
      "0": () => go(0), $: () => go(match ? match.turns.length : 0),
    };
    if (acts[event.key]) {
      event.preventDefault();
      acts[event.key]();
    }
  });

  drawList();
  if (matches.length) open(0);
})();
