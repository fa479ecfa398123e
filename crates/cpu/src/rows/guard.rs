//! Guarded updates: programs that change everything or nothing.

use thalweg_graph::Map;
use thalweg_plan::row::{Access, Code, Level, Reg, RowProgram};

/// A program all of whose stores have the form `cond ? new : what lies there already`, with one condition for
/// everything: the same program that stores `new`, and where the condition lies. It need not run where that is
/// false, and where it is true the results go straight to memory. Every guarded update of states is of this form.
pub(super) fn unguard(program: &RowProgram) -> Option<(RowProgram, Access)> {
    if program.stores.is_empty() || !program.column_sums.is_empty() {
        return None;
    }
    let mut plain = program.clone();
    let mut condition = None;
    for store in &mut plain.stores {
        let Code::Map(Map::Select, args) = &program.code[store.reg].code else { return None };
        let &[cond, new, old] = args.as_slice() else { return None };
        let Code::Load(guard) = &program.code[cond].code else { return None };
        let kept = matches!(&program.code[old].code, Code::Load(place) if *place == store.to);
        // Two states that change places must not see each other's new values.
        let moves = program.stores.len() > 1 && matches!(program.code[new].code, Code::Load(_));
        let one = program.code[cond].level == Level::Uniform
            || program.rows.is_empty() && program.cols == 1;
        if !kept
            || !one
            || moves
            || *condition.get_or_insert(cond) != cond
            || guard.buffer == store.to.buffer
        {
            return None;
        }
        // The choice is not made any more.
        plain.code[store.reg].code = Code::Imm(0.0);
        plain.code[store.reg].level = Level::Uniform;
        store.reg = new;
    }
    let read = plain.code.iter().flat_map(|i| RowProgram::reads(&i.code));
    let chosen: Vec<Reg> = program.stores.iter().map(|s| s.reg).collect();
    if read.into_iter().any(|r| chosen.contains(r)) {
        return None;
    }
    match &program.code[condition?].code {
        Code::Load(access) => Some((plain, access.clone())),
        _ => None,
    }
}
