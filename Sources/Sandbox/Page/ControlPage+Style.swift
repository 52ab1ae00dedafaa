extension ControlPage {
    static let style = """
        :root { color-scheme: light dark; --ink: #1c2b33; --paper: #f4f6f7; --card: #fff; --line: #d5dde1; --quiet: #5a6b75;
          --accent: #0b6e4f; --mine: #d9f2e3; --bad: #a8201a; font: 15px/1.45 system-ui, sans-serif; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6edf0; --paper: #12191d; --card: #1b252a; --line: #33424a;
          --quiet: #9fb0b9; --accent: #4fd1a1; --mine: #15412f; --bad: #ff8a80; } }
        * { box-sizing: border-box; }
        [hidden] { display: none !important; }
        body { margin: 0; color: var(--ink); background: var(--paper); display: grid; min-height: 100vh;
          grid: "head head head" auto "nav main side" 1fr / 17rem minmax(0, 1fr) 22rem; }
        header { grid-area: head; position: sticky; top: 0; z-index: 1; display: flex; gap: 1rem; align-items: baseline; padding: .6rem 1rem;
          border-bottom: 1px solid var(--line); background: var(--card); }
        nav { grid-area: nav; } main { grid-area: main; } aside { grid-area: side; }
        nav, main, aside { padding: 1rem; min-width: 0; }
        nav { border-right: 1px solid var(--line); } aside { border-left: 1px solid var(--line); }
        h1 { font-size: 1.1rem; margin: 0; } h2 { font-size: 1.05rem; margin: 0 0 .5rem; }
        h3 { font-size: .95rem; margin: 1rem 0 .4rem; }
        p { margin: .2rem 0; } .quiet { color: var(--quiet); } #notice { color: var(--bad); margin-left: auto; }
        ul, ol { list-style: none; margin: 0; padding: 0; }
        label { display: block; margin: .4rem 0; color: var(--quiet); font-size: .88rem; }
        .check { display: flex; gap: .4rem; align-items: center; }
        input:not([type=checkbox]), textarea { display: block; width: 100%; padding: .45rem .55rem; margin-top: .15rem;
          font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: .4rem; }
        textarea { font-family: ui-monospace, monospace; font-size: .8rem; resize: vertical; }
        button { font: inherit; padding: .45rem .8rem; border: 1px solid var(--accent); border-radius: .4rem; cursor: pointer;
          color: var(--card); background: var(--accent); }
        button.plain { color: var(--ink); background: none; border-color: var(--line); }
        :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
        .row { display: flex; gap: 1rem; align-items: center; justify-content: space-between; }
        #accounts button, #chats button { display: block; width: 100%; text-align: left; margin-bottom: .3rem;
          color: var(--ink); background: var(--card); border-color: var(--line); }
        #accounts button[aria-current], #chats button[aria-current] { border-color: var(--accent); box-shadow: inset 3px 0 var(--accent); }
        #devices li { display: flex; gap: .6rem; align-items: center; padding: .4rem 0; border-top: 1px solid var(--line); }
        #devices li span:first-child { flex: 1; }
        details { margin-top: .6rem; padding: .5rem .7rem; background: var(--card); border: 1px solid var(--line); border-radius: .4rem; }
        summary { cursor: pointer; }
        .chats { display: grid; grid-template-columns: 13rem minmax(0, 1fr); gap: 1rem; }
        .chat { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem; }
        #messages { height: 45vh; overflow-y: auto; display: flex; flex-direction: column; gap: .4rem; }
        #messages li { max-width: 80%; padding: .4rem .6rem; border-radius: .6rem; background: var(--paper); overflow-wrap: anywhere; }
        #messages li.out { align-self: flex-end; background: var(--mine); }
        #messages small { display: block; color: var(--quiet); }
        #send { display: flex; gap: .6rem; align-items: end; margin-top: .6rem; } .grow { flex: 1; }
        #events { height: calc(100vh - 13rem); overflow-y: auto; font-size: .8rem; }
        #events li { padding: .3rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
        #events b { color: var(--accent); font-weight: 600; } #events .bad b { color: var(--bad); }
        .skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .4rem; z-index: 1; }
        dialog { border: 1px solid var(--line); border-radius: .6rem; background: var(--card); color: var(--ink); }
        @media (max-width: 60rem) { body { display: block; } nav, aside { border: 0; } #events { height: 20rem; }
          .chats { grid-template-columns: 1fr; } }
        @media (prefers-reduced-motion: no-preference) { #events li { animation: in .2s; } @keyframes in { from { opacity: 0; } } }

        """
}
